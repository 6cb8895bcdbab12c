"""The embedded default: every step a process on this machine, state in `.hubc` at the repository's top."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from hub_steps.logs import readable
from hubc.backends.local.events import LogReader
from hubc.backends.local.processes import kill_owned
from hubc.backends.local.scheduler import Scheduler, StopSignals
from hubc.backends.local.state import State
from hubc.errors import HubcError, UnreachableError
from hubc.notify import Webhooks
from hubc.reuse import decide_all
from hubc.runs import ENDED, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hubc.backends.local.scheduler import Listener
    from hubc.plan import Plan

FOLLOW_SECONDS = 0.2
POLL_SECONDS = 0.1
CANCEL_SECONDS = 60.0


class LocalBackend:
    """Runs plans on this machine and knows the runs that it made in one repository."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = State(root)

    def run(
        self, plan: Plan, spec: str, parallel_steps: int | None, listener: Listener, complain: Callable[[str], None]
    ) -> Run:
        """Run a plan to its end and return the run; `complain` gets what went wrong beside it.

        Raises HubcError if a secret is missing, and KeyboardInterrupt, after everything has ended, when told to stop.
        """
        self._require_secrets(plan)
        self._end_leftovers()
        parallel = parallel_steps or max(1, (os.cpu_count() or 1) // 2)
        with StopSignals() as told_to_stop:
            run = self.state.create(plan, spec)
            if not plan.notify:
                return Scheduler(plan, run, self.state, parallel, listener, told_to_stop).drive()
            webhooks = Webhooks(plan.notify, listener, complain)
            webhooks.started(run)
            try:
                return Scheduler(plan, run, self.state, parallel, webhooks, told_to_stop).drive()
            finally:
                webhooks.ended(self.get(run.id))

    def list(self) -> list[Run]:
        """Return all runs, the newest first."""
        return self.state.all()

    def get(self, id: str) -> Run:
        """Return one run; raises UsageError if there is none of this name."""
        return self.state.load(id)

    def logs(self, id: str, step: str | None, *, follow: bool) -> Iterator[str]:
        """Yield log lines of one step or of all, each with its step and node; with `follow`, until the run ends."""
        readers: dict[Path, LogReader] = {}
        while True:
            run = self.get(id)
            for found in run.steps:
                if step in (None, found.id):
                    yield from self._new_lines(id, found.id, readers, has_ended=run.state in ENDED)
            if not follow or run.state in ENDED:
                return
            time.sleep(FOLLOW_SECONDS)

    def _new_lines(self, id: str, step: str, readers: dict[Path, LogReader], *, has_ended: bool) -> Iterator[str]:
        paths = self.state.logs(id, step)
        for path in paths:
            if path not in readers:
                readers[path] = LogReader(path)
                readers[path].offset = 0
            label = step if len(paths) == 1 else f"{step}/{path.suffixes[-2][1:]}"
            for line in readers[path].lines(to_the_end=has_ended):
                yield f"{label} | {readable(line)}"

    def cancel(self, id: str) -> Run:
        """End a run and return it when nothing of it runs any more; a run that has ended stays as it is.

        Raises UnreachableError if the run's process does not obey.
        """
        run = self.get(id)
        if run.state not in ENDED:
            with suppress(ProcessLookupError):
                if run.pid is not None:
                    os.kill(run.pid, signal.SIGTERM)
            deadline = time.monotonic() + CANCEL_SECONDS
            while self.get(id).state not in ENDED:
                if time.monotonic() > deadline:
                    raise UnreachableError(f"process {run.pid} of run '{id}' does not end; end it with: kill -9 {run.pid}")
                time.sleep(POLL_SECONDS)
        kill_owned(str(self.state.runs / id))
        return self.get(id)

    def delete(self, id: str) -> None:
        """Cancel a run if need be, and forget it; what its steps made stays for reuse."""
        self.cancel(id)
        self.state.remove(id)

    def _require_secrets(self, plan: Plan) -> None:
        decisions = decide_all(plan, self.state.storage_root)
        running = (step for step in plan.steps if decisions[step.id].action == "run")
        wanted = {secret.variable: secret for step in running for secret in step.secrets}
        wanted |= {item.authorization.variable: item.authorization for item in plan.notify if item.authorization}
        missing = [
            f"{secret.secret}/{secret.key} (set {name})" for name, secret in wanted.items() if not os.environ.get(name)
        ]
        if missing:
            raise HubcError(f"the plan needs secrets that are not in the environment: {', '.join(missing)}")

    def _end_leftovers(self) -> None:
        """End what runs whose hubc was killed may have left behind, so that it does not write where this run writes."""
        for run in self.state.all():
            if run.state == "failed" and run.finished_at is None:
                kill_owned(str(self.state.runs / run.id))
                self.state.save(run.model_copy(update={"finished_at": time.time()}))
