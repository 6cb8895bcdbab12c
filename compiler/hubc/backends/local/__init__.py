"""The embedded default: every step a process on this machine, state in `.hubc` at the repository's top."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from hub_steps.logs import readable
from hubc.backends.local.driver import launch
from hubc.backends.local.events import LogReader
from hubc.backends.local.processes import kill_owned
from hubc.backends.local.scheduler import Scheduler, StopSignals
from hubc.backends.local.state import State
from hubc.errors import HubcError, UnreachableError, WaitTimeoutError
from hubc.notify import Webhooks
from hubc.reuse import decide, decide_all
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

    def __init__(self, root: Path, parallel_steps: int | None = None) -> None:
        """Look after the runs in the repository at `root`; `parallel_steps` may run at once, one for every two cores."""
        self.root = root
        self.state = State(root)
        self.parallel_steps = parallel_steps or max(1, (os.cpu_count() or 1) // 2)

    def run(self, plan: Plan, spec: str, listener: Listener, complain: Callable[[str], None]) -> Run:
        """Run a plan to its end and return the run; `complain` gets what went wrong beside it.

        Raises HubcError if a secret is missing, and KeyboardInterrupt, after everything has ended, when told to stop.
        """
        self._require_secrets(plan)
        with StopSignals() as told_to_stop:
            run, lock = self.state.create(plan, spec)
            try:
                return self.drive(plan, run, listener, complain, told_to_stop)
            finally:
                os.close(lock)

    def drive(
        self, plan: Plan, run: Run, listener: Listener, complain: Callable[[str], None], told_to_stop: StopSignals
    ) -> Run:
        """Bring a run that waits to its end, as the process that holds its lock; raises KeyboardInterrupt as `run` does."""
        self._end_leftovers()
        run = self.state.begin(run)
        if not plan.notify:
            return Scheduler(plan, run, self.state, self.parallel_steps, listener, told_to_stop).drive()
        webhooks = Webhooks(plan.notify, listener, complain)
        webhooks.started(run)
        try:
            return Scheduler(plan, run, self.state, self.parallel_steps, webhooks, told_to_stop).drive()
        finally:
            webhooks.ended(self.get(run.id))

    def submit(self, plan: Plan, spec: str) -> Run:
        """Start a plan in a process of its own and return its run; where it is under way or done and whole, that run."""
        with self.state.submitting():
            if known := self._known(plan):
                return known
            self._require_secrets(plan)
            run, lock = self.state.create(plan, spec)
            return launch(self.state, run, lock, plan, self.parallel_steps)

    def retry(self, id: str) -> Run:
        """Start a run that failed or was cancelled again, in a process of its own.

        Raises HubcError if it did not, or if its spec would give another plan by now.
        """
        self.get(id)  # for a run that does not exist, nothing is written
        with self.state.submitting():
            run = self.get(id)
            if run.state not in ("failed", "cancelled"):
                raise HubcError(f"run '{id}' is {run.state}; only one that failed or was cancelled can be retried")
            plan, parallel_steps = self._compiled_again(run)
            self._require_secrets(plan)
            kill_owned(str(self.state.runs / id))
            run, lock = self.state.restart(run)
            return launch(self.state, run, lock, plan, parallel_steps or self.parallel_steps)

    def wait(self, id: str, timeout_seconds: float | None) -> Run:
        """Return a run once it has ended; raises WaitTimeoutError if that takes longer than `timeout_seconds`."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (run := self.get(id)).state not in ENDED:
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeoutError(f"run '{id}' is still {run.state} after {timeout_seconds:g} s, and goes on")
            time.sleep(POLL_SECONDS)
        return run

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
        deadline = time.monotonic() + CANCEL_SECONDS
        told: int | None = None
        while (run := self.get(id)).state not in ENDED:
            # A run that has just been submitted may have no process yet.
            if run.pid is not None and run.pid != told:
                told = run.pid
                with suppress(ProcessLookupError):
                    os.kill(run.pid, signal.SIGTERM)
            if time.monotonic() > deadline:
                raise UnreachableError(f"process {run.pid} of run '{id}' does not end; end it with: kill -9 {run.pid}")
            time.sleep(POLL_SECONDS)
        kill_owned(str(self.state.runs / id))
        return self.get(id)

    def delete(self, id: str) -> None:
        """Cancel a run if need be, and forget it; what its steps made stays for reuse."""
        self.cancel(id)
        self.state.remove(id)

    def _known(self, plan: Plan) -> Run | None:
        """Return the newest run of a plan that is under way, or that succeeded and whose outputs are all still whole."""
        runs = [run for run in self.state.all() if run.plan_digest == plan.digest]
        if under_way := [run for run in runs if run.state not in ENDED]:
            return under_way[0]
        done = [run for run in runs if run.state == "succeeded"]
        root = self.state.storage_root
        return done[0] if done and all(decide(plan, step, root).action == "reuse" for step in plan.steps) else None

    def _compiled_again(self, run: Run) -> tuple[Plan, int | None]:
        """Return the plan of a run, made of its spec anew, and how many steps its platform runs at once."""
        from hubc.workspace import load_plan_at, load_platform

        platform = load_platform(run.platform, self.root)
        plan = load_plan_at(self.root / run.spec, platform, self.root)
        if plan.digest != run.plan_digest:
            raise HubcError(f"the spec of run '{run.id}', or what it names, has changed: its plan was "
                            f"{run.plan_digest[:12]} and is {plan.digest[:12]} now; submit the changed spec instead: "
                            f"hubc submit {run.spec} --platform {run.platform}")  # fmt: skip
        return plan, platform.spec.local.parallel_steps if platform.spec.local else None

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
        # Nobody may start such a run again meanwhile.
        with self.state.submitting():
            for run in self.state.all():
                if run.state == "failed" and run.finished_at is None:
                    kill_owned(str(self.state.runs / run.id))
                    self.state.save(run.model_copy(update={"finished_at": time.time()}))
