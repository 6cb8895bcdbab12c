"""What is known of a run: its state and that of each of its steps."""

from __future__ import annotations

from typing import Literal

from hub_steps.contract import Record

RunState = Literal["pending", "running", "succeeded", "failed", "cancelled"]
StepState = Literal["pending", "waiting", "running", "succeeded", "reused", "failed", "cancelled"]
ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})
DONE: frozenset[str] = frozenset({"succeeded", "reused"})


class PodRun(Record):
    """One pod of a step on a cluster."""

    name: str
    node: int = 0
    """Rank of the node in a training on several nodes."""
    phase: str
    """As Kubernetes says: Pending, Running, Succeeded, Failed or Unknown."""
    restarts: int = 0
    reason: str = ""
    """Why it waits or failed, on one line."""


class StepRun(Record):
    """One step of a run."""

    id: str
    kind: str
    state: StepState = "pending"
    reason: str = ""
    """Why it runs, is reused, waits or failed."""
    key: str
    attempts: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    summary: str = ""
    reused_from: str | None = None
    """The run that made what is reused."""
    progress: str = ""
    pods: tuple[PodRun, ...] = ()


class Run(Record):
    """One execution of a plan."""

    id: str
    pipeline: str
    platform: str
    spec: str
    """Path of the spec, relative to the repository."""
    plan_digest: str
    state: RunState
    reason: str = ""
    created_at: float
    finished_at: float | None = None
    pid: int | None = None
    """The process on this machine that drives the run."""
    url: str = ""
    """Where a browser shows the run."""
    steps: tuple[StepRun, ...]

    def step(self, id: str) -> StepRun:
        """Return the step with this id."""
        return next(step for step in self.steps if step.id == id)

    def with_step(self, changed: StepRun) -> Run:
        """Return the run with one step replaced."""
        return self.model_copy(update={"steps": tuple(changed if step.id == changed.id else step for step in self.steps)})
