"""What a probe is asked to try out."""

from typing import Annotated, Literal

from pydantic import Field

from hub_steps.contract import Record
from hub_steps.parameters import Endpoint
from hub_steps.parameters.publish import GitHub, HuggingFace

Uri = Annotated[str, Field(pattern=r"^[a-z0-9]+://")]


class ProbedEndpoint(Endpoint):
    """An endpoint that a step asks."""

    role: Literal["teacher", "judge"]
    step: str


class ProbedTarget(Record):
    """Where a step publishes: what its parameters say, with the location as a whole URI."""

    step: str
    pipeline: str | None = None
    version: str | None = None
    location: Uri | None = None
    huggingface: HuggingFace | None = None
    github: GitHub | None = None


class ProbeRequest(Record):
    """All that a probe is told."""

    version: Literal["hubc.probe/v1"] = "hubc.probe/v1"
    storage: tuple[Uri, ...] = ()
    """URIs of folders that runs write to."""
    endpoints: tuple[ProbedEndpoint, ...] = ()
    targets: tuple[ProbedTarget, ...] = ()
