"""Parts of a Pipeline spec about runs as a whole: sweeps, schedules and who is told."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters import Declared, SecretReference
from hub_steps.parameters.declared import Count, HttpUrl

FieldPath = Annotated[
    str, Field(pattern=r"^[a-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*$", max_length=200, examples=["train.learning_rate"])
]
CRON = r"^(\S+\s+){4}\S+$|^@(hourly|daily|weekly|monthly|yearly|annually|midnight)$"


class Matrix(Declared):
    """Fields swept over values; each combination is a variant of the plan, and steps that variants share run once."""

    fields: Annotated[
        dict[FieldPath, Annotated[tuple[Any, ...], Field(min_length=1, strict=False)]],
        Field(min_length=1, examples=[{"train.learning_rate": [1e-4, 2e-4]}]),
    ]
    """Field below `spec` to the values that it takes, as in `train.learning_rate: [1e-4, 2e-4]`."""
    exclude: Annotated[tuple[Annotated[dict[FieldPath, Any], Field(min_length=1)], ...], Field(strict=False)] = ()
    """Combinations to leave out: all that have these values."""
    max_parallel: Count | None = None
    """Most steps of the sweep that run at once; left out, as many as the platform runs."""


class Schedule(Declared):
    """A recurring run."""

    cron: Annotated[str, Field(pattern=CRON, examples=["0 3 * * 1"])]
    """Minute, hour, day of the month, month and day of the week, or `@daily` and the like."""
    timezone: Annotated[str, Field(pattern=r"^[A-Za-z]+(/[-A-Za-z0-9_+]+)*$", examples=["Europe/Berlin"])] = "UTC"
    """Time zone of `cron`, by its IANA name."""
    overlap: Literal["skip", "replace", "allow"] = "skip"
    """What happens when the former run still goes on: the new one is skipped, replaces it, or runs beside it."""


class Notification(Declared):
    """A webhook that is told how a run goes; it gets a JSON object by POST."""

    url: HttpUrl
    """Where to post."""
    authorization: SecretReference | None = None
    """Where the value of the header `Authorization` is, if the receiver wants one."""
    events: Annotated[
        tuple[Literal["started", "progress", "succeeded", "failed", "cancelled"], ...], Field(min_length=1, strict=False)
    ] = ("started", "succeeded", "failed", "cancelled")
    """What it is told."""
    interval_seconds: Count = 60
    """Time between two `progress` events."""

    @model_validator(mode="after")
    def _each_once(self) -> "Notification":
        if len(set(self.events)) < len(self.events):
            raise PydanticCustomError("twice", "an event is listed twice")
        return self
