"""Telling webhooks how a run goes, beside the run: a receiver that is slow or down never holds it up."""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from hub_steps.contract import redact
from hubc import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.backends.local.scheduler import Listener
    from hubc.runs import Run, StepRun
    from hubc.spec.sweep import Notification

TRIES = 3
PAUSE_SECONDS = 1.0
TIMEOUT_SECONDS = 10.0
DRAIN_SECONDS = 45.0
"""Longest wait for the last messages when a run has ended."""


class _NoRedirect(HTTPRedirectHandler):
    """A redirection would carry the authorization to a place that the spec does not name."""

    def redirect_request(self, *_: Any) -> None:
        return None


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
                self.waiting.put((target, _body("progress", run)))

    def _tell(self, event: str, run: Run) -> None:
        for target in self.targets:
            if event in target.events:
                self.waiting.put((target, _body(event, run)))

    def _post_all(self) -> None:
        while (item := self.waiting.get()) is not None:
            if fault := _post(*item):
                self.complain(f"warning: a webhook was not told: {fault}")


def _body(event: str, run: Run) -> bytes:
    """Return the JSON that a webhook gets: the run, its steps, and nothing of what they read or wrote."""
    steps = [
        {"id": step.id, "kind": step.kind, "state": step.state, "progress": step.progress, "summary": step.summary}
        for step in run.steps
    ]
    facts = {
        "version": "hubc.notification/v1",
        "event": event,
        "timestamp": round(time.time(), 3),
        "run": run.id,
        "pipeline": run.pipeline,
        "platform": run.platform,
        "plan_digest": run.plan_digest,
        "state": run.state,
        "detail": run.reason,
        "steps": steps,
    }
    return redact(json.dumps(facts)).encode()


def _post(target: Notification, body: bytes) -> str:
    """Post a message and return why that failed, or nothing."""
    headers = {"Content-Type": "application/json", "User-Agent": f"hubc/{__version__}"}
    if target.authorization:
        headers["Authorization"] = os.environ.get(target.authorization.variable, "")
    # The spec's type allows http and https only.
    request = Request(target.url, body, headers, method="POST")  # noqa: S310
    fault = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE_SECONDS * 2**attempt)
        try:
            with build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS):
                return ""
        except URLError as error:
            code = getattr(error, "code", None)
            fault = f"{target.url} answered {code}" if code else f"{target.url}: {error.reason}"
            if code is not None and code < 500 and code != 429:
                break
        except (OSError, ValueError) as error:
            fault = f"{target.url}: {error}"
    return redact(fault)
