"""What `hubc plan --format json` writes, as models: the JSON is made with them, and `schemas/plan.schema.json` from them.

No key has a default: every one is always there, so that a reader need not ask.
"""

from __future__ import annotations

from typing import Any, Literal

from hub_steps.contract import Kind, Record


class ChangeRecord(Record):
    """One difference; `before` or `after` is null where there was or is nothing."""

    what: Literal["code", "parameter", "input", "document", "upstream", "setting"]
    """What `field` names: hubc's own code, a parameter, an input, a document of one, an input that another step makes, or
    another setting of the step."""
    field: str
    """Dotted path of the parameter or setting, name of the input, or `input/name` of the document."""
    how: Literal["changed", "added", "removed"]
    """Whether there was a value before and is one after."""
    before: Any
    """Old value, or the digest that the old content was known by."""
    after: Any
    """New value, or the digest that the new content is known by."""
    step: str | None
    """The step that makes another output, for what is `upstream`."""


class DecisionRecord(Record):
    """What will happen to a step."""

    action: Literal["run", "reuse"]
    """Whether the step runs or a finished output is used again."""
    reason: str
    """Why, on one line."""
    run: str | None
    """The run that made what is reused, or what `changes` compare with."""
    finished_at: float | None
    """When that run finished the output, in seconds since 1970."""
    changes: tuple[ChangeRecord, ...]
    """What differs from the closest finished output of the step."""


class InputRecord(Record):
    """What a step reads: a file or folder that another step makes, or something from outside the plan."""

    step: str | None
    """The step that makes it; null for what comes from outside."""
    path: str | None
    """Path in that step's output; empty for the whole folder."""
    uri: str | None
    """Where it lies outside."""
    key: str
    """Digest or cache key: what the input's content is known by."""
    documents: tuple[str, ...] | None
    """Names of the documents that were read from the repository."""


class ResourcesRecord(Record):
    """What a step gets."""

    nodes: int
    """Machines."""
    cpus: int
    """CPU cores on each node."""
    memory_gib: int
    """Memory on each node, in GiB."""
    accelerators: int
    """Accelerators on each node."""
    accelerator: str | None
    """Kind of accelerator."""
    timeout_minutes: int
    """Time after which the step is stopped."""
    is_emulated: bool
    """Whether the CPU stands in for the accelerators."""


class SecretRecord(Record):
    """A secret by name; no plan ever holds a value."""

    secret: str
    """Name of the secret."""
    key: str
    """Key inside the secret."""


class StepRecord(Record):
    """One program run."""

    id: str
    """Name of the step, unique in the plan."""
    kind: Kind
    """Which program runs."""
    key: str
    """Cache key: the digest of all that the output depends on."""
    needs: tuple[str, ...]
    """Steps whose outputs this one reads."""
    parameters: dict[str, Any]
    """What the step is told, with every default filled in."""
    inputs: dict[str, InputRecord]
    """What the step reads, by name."""
    resources: ResourcesRecord
    """What the step gets."""
    secrets: tuple[SecretRecord, ...]
    """Names of the secrets that the step is given."""
    image: str | None
    """Container image; null where the step is a process on this machine."""
    variants: tuple[str, ...]
    """Variants of the matrix that the step belongs to; empty without a matrix."""
    retries: int
    """How often the step is tried again after a failure that may pass."""
    decision: DecisionRecord | None
    """What will happen to the step; null where only the cluster knows what is already done."""
    estimate: dict[str, Any] | None
    """What the step is expected to need; null where nothing is estimated."""


class StepDifferenceRecord(Record):
    """How one step differs from the step of the same id at the revision."""

    step: str
    """Name of the step."""
    status: Literal["added", "removed", "changed", "unchanged"]
    """Whether the step is in both plans, and the same."""
    other_output: bool
    """Whether the step makes another output than at the revision, so that it runs unless that output exists."""
    changes: tuple[ChangeRecord, ...]
    """What differs."""


class DifferenceRecord(Record):
    """How the plan differs from that of the same spec at a git revision."""

    revision: str
    """The revision as it was asked for."""
    commit: str
    """The commit that it meant."""
    digest: str | None
    """Digest of the plan at the revision; null if there was none."""
    missing: str
    """Why there was no plan at the revision; empty if there was one."""
    changes: tuple[ChangeRecord, ...]
    """What differs beside the steps."""
    steps: tuple[StepDifferenceRecord, ...]
    """All steps of both plans."""


class WarningRecord(Record):
    """Something to look at that does not stop the plan."""

    file: str
    """File as the user would name it."""
    line: int
    """Line, from 1."""
    column: int
    """Column, from 1."""
    rule: str
    """Name of the rule."""
    message: str
    """What was found."""
    help: str
    """What to do about it."""


class TotalsRecord(Record):
    """What the steps that will run are expected to take together: sums of what is known; null where nothing is."""

    steps: tuple[str, ...]
    """The steps that are counted: those that will run and use accelerators."""
    device_hours: tuple[float, float, float] | None
    """Hours of one accelerator: low, likely and high."""
    unknown_device_hours: int
    """Number of `steps` whose hours are not known, and missing in the sum."""
    cost: tuple[float, float, float] | None
    """Cost: low, likely and high."""
    unknown_cost: int
    """Number of `steps` whose cost is not known, and missing in the sum."""
    most_device_hours: float | None
    """Hours of one accelerator that the time limits allow."""
    most_cost: float | None
    """Cost of these hours."""
    unknown_most_cost: int
    """Number of `steps` whose accelerator has no price, and which are missing in this cost."""
    currency: str
    """Currency of the costs, by its ISO 4217 code."""


class ScheduleRecord(Record):
    """When the plan runs again on a cluster."""

    cron: str
    """Minute, hour, day of the month, month and day of the week, or `@daily` and the like."""
    timezone: str
    """Time zone of `cron`."""
    overlap: Literal["skip", "replace", "allow"]
    """What happens when the former run still goes on."""


class NotificationRecord(Record):
    """A webhook that is told how a run goes."""

    url: str
    """Where to post."""
    authorization: SecretRecord | None
    """Where the value of the header `Authorization` is."""
    events: tuple[str, ...]
    """What it is told."""
    interval_seconds: int
    """Time between two `progress` events."""


class PlanRecord(Record):
    """A plan: what would run, what is reused and why."""

    version: Literal["hubc.plan/v1"]
    """Version of this format."""
    digest: str
    """Digest of the plan: the same on every machine for the same spec."""
    pipeline: str
    """Name of the pipeline."""
    description: str
    """What the pipeline is for."""
    platform: str
    """Name of the platform."""
    spec_digest: str
    """Digest of the spec with every default filled in."""
    steps: tuple[StepRecord, ...]
    """The steps, each after those that it needs."""
    totals: TotalsRecord | None
    """What the steps that will run take together; null where nothing is estimated."""
    variants: dict[str, dict[str, Any]]
    """Variant of the matrix to swept field to value; empty without a matrix."""
    max_parallel: int | None
    """Most steps of the variants that run at once; null for as many as the platform runs."""
    schedule: ScheduleRecord | None
    """When the plan runs again on a cluster."""
    notify: tuple[NotificationRecord, ...]
    """Who is told how a run goes."""
    warnings: tuple[WarningRecord, ...]
    """What to look at."""
    against: DifferenceRecord | None
    """How the plan differs from that of a revision, if one was asked for."""
