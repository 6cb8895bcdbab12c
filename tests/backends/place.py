"""What the cases of the Protocol need of a backend under test: a place where steps do as they are told."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.backends import Backend
    from hubc.plan import Plan
    from hubc.runs import Run

Behaviour = Literal["succeed", "fail", "fail later", "hang"]
LIMIT_SECONDS = 60.0
REASON = "the teacher is out of order"
"""What the step `generate` says when it is told to fail."""


class Place(ABC):
    """A backend, and what a test wants of its steps. Its pipeline `small` has one step, `generate`."""

    backend: Backend
    keeps_logs = True
    """Whether this machine can read the log of a step whose pod is gone; otherwise it is told where that lies."""

    @abstractmethod
    def steps(self, behaviour: Behaviour) -> None:
        """Have the steps do so from now on; one that hangs has made some progress before, and goes on when told otherwise.

        With `fail later`, only a step `train` fails, and each of its nodes says so.
        """

    @abstractmethod
    def plan(self, name: str = "small", more: str = "", *, nodes: int = 0) -> tuple[Plan, str]:
        """Write a spec, with `more` at its end, and return its plan and its path.

        With `nodes`, a step `train` on so many nodes follows.
        """

    @abstractmethod
    def left(self) -> list[str]:
        """Return what runs on behalf of steps now."""

    @abstractmethod
    def outputs(self) -> list[str]:
        """Return the outputs that steps have finished."""

    @abstractmethod
    def close(self) -> None:
        """End what a test that failed may have left."""

    def submit(self, name: str = "small") -> Run:
        """Submit a pipeline."""
        return self.backend.submit(*self.plan(name))

    def started(self, name: str = "small") -> Run:
        """Submit a pipeline whose step hangs, and return its run once the step has made some progress."""
        self.steps("hang")
        run = self.submit(name)
        self.until(lambda: self.backend.get(run.id).step("generate").progress, "the step makes progress")
        return self.backend.get(run.id)

    def ended(self, run: Run) -> Run:
        """Return a run when it has ended."""
        return self.backend.wait(run.id, LIMIT_SECONDS)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition; how long it takes is not what is tested."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain: {what}"
            time.sleep(0.05)
