"""The Platform spec: where and how pipelines run, in the words of a backend service owner."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters import Declared
from hub_steps.parameters.declared import Count, NotNegative, Positive
from hubc.spec.cluster import Argo, DnsLabel
from hubc.spec.common import Spec


class Toleration(Declared):
    """A taint that pods with this accelerator tolerate."""

    key: Annotated[str, Field(min_length=1)]
    """The taint's key."""
    value: str | None = None
    """The taint's value; left out, any."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; left out, any."""


class Accelerator(Declared):
    """A kind of accelerator that the platform has."""

    resource: Annotated[str, Field(pattern=r"^[a-z0-9][-a-z0-9.]*/[A-Za-z0-9][-A-Za-z0-9._]*$",
                                   examples=["nvidia.com/gpu"])] | None = None  # fmt: skip
    """Name of the extended resource; left out, there is none of this kind here, and the CPU stands in for it, to try
    pipelines without the hardware."""
    memory_gib: Positive | None = None
    """Memory of one, in GiB; the plan says whether a training fits."""
    tflops: Positive | None = None
    """Dense peak rate in bf16, in TFLOP/s, as the maker states it; the plan estimates hours from it."""
    price_per_hour: NotNegative | None = None
    """Price of one for an hour, in the platform's currency; the plan estimates costs from it."""
    node_selector: dict[str, str] = Field(default={})
    """Labels of the nodes that have it."""
    tolerations: Annotated[tuple[Toleration, ...], Field(strict=False)] = ()
    """Taints of those nodes."""


class Limits(Declared):
    """The most that one step may ask for."""

    nodes: Count = 1
    """Nodes of one training step."""
    accelerators: Annotated[int, Field(ge=0)] = 0
    """Accelerators on each node."""
    timeout_minutes: Count = 1440
    """Longest time limit of a step."""
    accelerator_hours: Annotated[int, Field(ge=0)] | None = None
    """Most accelerator-hours of one step: nodes x accelerators x time limit; left out, no limit of its own."""


class Defaults(Declared):
    """Resources of a step whose spec leaves them out."""

    cpus: Count = 2
    """CPU cores on each node."""
    memory_gib: Count = 8
    """Memory on each node, in GiB."""
    timeout_minutes: Count = 240
    """Time after which a step is stopped."""


class Local(Declared):
    """This machine: every step a process of its own."""

    parallel_steps: Count | None = None
    """Steps that may run at once; left out, one for every two cores."""


class PlatformBody(Declared):
    """A place to run pipelines: exactly one of `local` and `argo`."""

    local: Local | None = None
    """This machine."""
    argo: Argo | None = None
    """A cluster with Argo Workflows."""
    accelerators: dict[DnsLabel, Accelerator] = Field(default={})
    """The kinds of accelerator that the platform has, by the name that pipelines use."""
    limits: Limits = Limits.model_construct()
    """The most that one step may ask for."""
    defaults: Defaults = Defaults.model_construct()
    """Resources of a step whose spec leaves them out."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"])] = "USD"
    """Currency of the prices, by its ISO 4217 code."""
    allow_model_code: bool = False
    """Whether Python code that comes with a model may run here, if the pipeline asks for it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "PlatformBody":
        if (self.local is None) == (self.argo is None):
            raise PydanticCustomError("one_of", "a platform needs exactly one of 'local' and 'argo'")
        return self


class Platform(Spec):
    """A place to run pipelines."""

    kind: Literal["Platform"]
    """`Platform`."""
    spec: PlatformBody
    """The place."""
