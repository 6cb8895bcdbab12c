"""What the publish step can be told."""

from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters.declared import Count, Declared, HttpUrl, RepositoryPath, SecretReference

HubName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._]*/[A-Za-z0-9][-A-Za-z0-9._]*$", max_length=96,
                               examples=["my-team/my-model"])]  # fmt: skip
OBJECT_STORES = ("s3", "gs", "az")


class HuggingFace(Declared):
    """A model repository on the Hugging Face Hub."""

    repository: HubName
    """`organisation/name`; it is created if it is not there."""
    private: bool = True
    """Whether only the organisation sees it."""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._]*$", max_length=100, examples=["v1.0.0"])] | None = None
    """Tag of the published commit; a tag that exists already is refused before anything is trained."""
    token: SecretReference
    """Where the token with write access is."""
    url: HttpUrl | None = None
    """A hub of one's own; left out, huggingface.co."""


class GitHub(Declared):
    """A repository on GitHub that is told what was published."""

    repository: HubName
    """`owner/name`."""
    pull_requests: Annotated[tuple[Count, ...], Field(strict=False)] = ()
    """Pull requests whose changes are in this model; each gets the results as a comment."""
    change_log: RepositoryPath | None = None
    """Markdown file in the repository that gets an entry; left out, none."""
    release: bool = False
    """Whether a release is made; it carries the version."""
    token: SecretReference
    """Where the token is."""
    url: HttpUrl | None = None
    """API of a GitHub Enterprise server; left out, api.github.com."""


class PublishParameters(Declared):
    """Publishing the tuned model with its card, change log and provenance: at least one target."""

    location: Annotated[str, Field(min_length=1, examples=["published/my-model", "s3://models/my-model"])] | None = None
    """Folder or object store: a path below the platform's publishing root, `file:///absolute/folder` or
    `s3://bucket/path` on a platform that keeps its outputs in an object store. With a matrix, each variant is published to
    a folder of its name in it."""
    huggingface: HuggingFace | None = None
    """The Hugging Face Hub; this version checks it and cannot publish there yet."""
    github: GitHub | None = None
    """GitHub: who is told, and the change log; this version checks it and tells nobody yet."""
    title: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Heading of the model card; left out, the pipeline's name."""
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][-0-9A-Za-z._+]*$", max_length=50, examples=["1.0.0"])] | None = None
    """Version of the model, for card, change log and release."""
    license: Annotated[str, Field(pattern=r"^[-A-Za-z0-9.]+$", examples=["Apache-2.0"])] | None = None
    """SPDX identifier of the model's licence, for the model card."""
    intended_use: Annotated[str, Field(max_length=5000)] | None = None
    """What the model is for, for the model card."""

    @field_validator("location")
    @classmethod
    def _is_folder(cls, location: str | None) -> str | None:
        if location is None:
            return None
        scheme, colon, rest = location.partition("://")
        if colon and scheme not in ("file", *OBJECT_STORES):
            raise ValueError(
                f"cannot publish to '{scheme}://'; write 'file:///absolute/folder', 's3://bucket/path' or a relative path"
            )
        if scheme == "file" and colon and not rest.startswith("/"):
            raise ValueError("a file location needs an absolute path, as in 'file:///srv/models/name'")
        parts = (rest if colon else location).split("/")
        if ".." in parts or (not colon and location.startswith("/")) or set(parts) <= {"", "."}:
            raise ValueError("the location must be a folder below the publishing root, without '..'")
        return location

    @model_validator(mode="after")
    def _has_target(self) -> "PublishParameters":
        if self.location is None and self.huggingface is None:
            raise PydanticCustomError("one_of", "publishing needs 'location', 'huggingface' or both")
        return self
