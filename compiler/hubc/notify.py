"""Telling webhooks how a run goes, beside the run: a receiver that is slow or down never holds it up."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from hub_steps.reporting import RunFacts, StepFacts
from hub_steps.webhooks import notification, post

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.backends.local.scheduler import Listener
    from hubc.runs import Run, StepRun
    from hubc.spec.sweep import Notification

DRAIN_SECONDS = 45.0
"""Longest wait for the last messages when a run has ended."""


class Webhooks:
    """Passes on what a run's listener hears, and posts what each webhook asked for."""

    def __init__(self, targets: tuple[Notification, ...], listener: Listener, complain: Callable[[str], None]) -> None:
        self.targets, self.listener, self.complain = targets, listener, complain
        self.waiting: queue.Queue[tuple[Notification, bytes] | None] = queue.Queue()
        self.last_progress = dict.fromkeys(range(len(targets)), time.monotonic())
        self.thread = threading.Thread(target=self._post_all, daemon=True)
        self.thread.start()

    def started(self, run: Run) -> None:
        """Tell that a run starts."""
        self._tell("started", run)

    def ended(self, run: Run) -> None:
        """Tell how a run ended, and wait until everybody knows or has had enough time."""
        self._tell(run.state, run)
        self.waiting.put(None)
        self.thread.join(DRAIN_SECONDS)

    def changed(self, run: Run, step: StepRun) -> None:
        """Pass on that a step has another state."""
        self.listener.changed(run, step)
        self._progress(run)

    def event(self, run: Run, step: StepRun, event: dict[str, Any]) -> None:
        """Pass on what a step tells."""
        self.listener.event(run, step, event)
        self._progress(run)

    def _progress(self, run: Run) -> None:
        now = time.monotonic()
        for number, target in enumerate(self.targets):
            if "progress" in target.events and now - self.last_progress[number] >= target.interval_seconds:
                self.last_progress[number] = now
                self.waiting.put((target, notification("progress", _facts(run))))

    def _tell(self, event: str, run: Run) -> None:
        for target in self.targets:
            if event in target.events:
                self.waiting.put((target, notification(event, _facts(run))))

    def _post_all(self) -> None:
        while (item := self.waiting.get()) is not None:
            target, body = item
            if fault := post(target.url, target.authorization, body):
                self.complain(f"warning: a webhook was not told: {fault.text}")


def _facts(run: Run) -> RunFacts:
    return RunFacts(
        run=run.id,
        pipeline=run.pipeline,
        platform=run.platform,
        plan_digest=run.plan_digest,
        state=run.state,
        detail=run.reason,
        steps=tuple(
            StepFacts(id=step.id, kind=step.kind, state=step.state, progress=step.progress, summary=step.summary)
            for step in run.steps
        ),
    )
