"""Runs a plan on this machine: steps start when what they need is done, and the record says at any time how far it is."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hub_steps.contract import ExitCode
from hub_steps.files import local_path
from hubc.backends.local.events import LogReader, last_lines
from hubc.backends.local.processes import StepProcesses, lock_output
from hubc.reuse import decide
from hubc.runs import DONE, Run, StepRun

if TYPE_CHECKING:
    from hubc.backends.local.state import State
    from hubc.plan import Plan, Step

POLL_SECONDS = 0.1
RETRY_SECONDS = 5.0
"""Pause before a second attempt; doubled before each further one."""
RETRYABLE = frozenset({int(ExitCode.RETRY), int(ExitCode.STOPPED)})


class Listener(Protocol):
    """Whoever shows a run while it goes on."""

    def changed(self, run: Run, step: StepRun) -> None:
        """A step has another state."""

    def event(self, run: Run, step: StepRun, event: dict[str, Any]) -> None:
        """A step tells something: an event of the step contract."""


@dataclass
class _Attempt:
    """A step that is being worked on: its lock, and its processes unless it is between two attempts."""

    step: Step
    lock: int
    processes: StepProcesses | None = None
    readers: list[LogReader] = field(default_factory=list)
    not_before: float = 0.0


class Scheduler:
    """Drives one run from its first step to its end."""

    def __init__(
        self, plan: Plan, run: Run, state: State, publish_root: str, parallel_steps: int, listener: Listener
    ) -> None:
        self.plan = plan
        self.run = run
        self.state = state
        self.publish_root = publish_root
        self.parallel_steps = parallel_steps
        self.listener = listener
        self.active: dict[str, _Attempt] = {}

    def drive(self) -> Run:
        """Run until every step is done or one has failed, and return the run as it ended.

        A KeyboardInterrupt ends everything that was started, marks the run as cancelled and is passed on.
        """
        try:
            while self.run.state == "running":
                self._start_ready()
                self._poll()
                if all(step.state in DONE for step in self.run.steps):
                    self._end("succeeded", "")
                time.sleep(POLL_SECONDS if self.active else 0)
        except BaseException as error:
            # The steps are told to stop once; a second Ctrl-C must not leave some of them running.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self._stop_all()
            interrupted = isinstance(error, KeyboardInterrupt)
            self._end("cancelled" if interrupted else "failed", "interrupted" if interrupted else f"hubc failed: {error}")
            raise
        return self.run

    def _start_ready(self) -> None:
        for step in self.plan.steps:
            now = self.run.step(step.id)
            if now.state in ("pending", "waiting") and all(self.run.step(need).state in DONE for need in step.needs):
                if len(self.active) >= self.parallel_steps:
                    return
                self._take(step, now)

    def _take(self, step: Step, now: StepRun) -> None:
        """Reuse the step's output, or lock it and start; while another run holds the lock, wait for it."""
        output = local_path(self.plan.output(self.state.storage_root, step))
        lock = lock_output(output.with_name(f"{output.name}.lock"))
        if lock is None:
            if now.state != "waiting":
                self._change(step.id, state="waiting", reason="another run is making the same output")
            return
        decision = decide(self.plan, step, self.state.storage_root)
        if decision.action == "reuse":
            os.close(lock)
            self._change(step.id, state="reused", reason=decision.reason, finished_at=time.time(), summary=decision.summary)
            return
        self._change(step.id, state="running", reason=decision.reason, started_at=time.time())
        self.active[step.id] = _Attempt(step, lock)

    def _poll(self) -> None:
        for attempt in list(self.active.values()):
            if attempt.processes is None:
                if time.monotonic() >= attempt.not_before:
                    self._launch(attempt)
                continue
            code = attempt.processes.exit_code()
            self._tell(attempt)
            limit = attempt.step.resources.timeout_minutes
            if code is not None:
                attempt.processes.close()
                self._tell(attempt)
                self._finished(attempt, code)
            elif time.monotonic() - attempt.processes.started > limit * 60:
                attempt.processes.stop()
                self._fail(attempt, ExitCode.FAILED, f"the time limit of {limit} minutes has passed")

    def _launch(self, attempt: _Attempt) -> None:
        step, folder = attempt.step, self.state.runs / self.run.id
        request = folder / f"{step.id}.request.json"
        told = self.plan.request(step, self.run.id, self.state.storage_root, self.publish_root, None)
        request.write_text(told.model_dump_json(indent=2), encoding="utf-8")
        logs = [self.state.log(self.run.id, step.id, node) for node in range(step.resources.nodes)]
        processes = step.resources.nodes * step.resources.processes_per_node
        threads = max(1, (os.cpu_count() or 1) // (processes * min(self.parallel_steps, len(self.active))))
        attempt.readers = [LogReader(log) for log in logs]
        attempt.processes = StepProcesses(step, str(folder), request, logs, attempt.lock, threads)
        self._change(step.id, attempts=self.run.step(step.id).attempts + 1)

    def _tell(self, attempt: _Attempt) -> None:
        for reader in attempt.readers:
            for event in reader.events():
                step = self.run.step(attempt.step.id)
                if event["hubc"] == "progress":
                    step = step.model_copy(
                        update={"progress": f"{event.get('done')}/{event.get('total')} {event.get('unit')}"}
                    )
                    self.run = self.run.with_step(step)
                self.listener.event(self.run, step, event)

    def _finished(self, attempt: _Attempt, code: int) -> None:
        step = attempt.step
        if code == 0:
            decision = decide(self.plan, step, self.state.storage_root)
            if decision.action == "reuse":
                self._release(attempt)
                self._change(step.id, state="succeeded", finished_at=time.time(), exit_code=0, summary=decision.summary)
            else:
                self._fail(attempt, code, f"it ended well, but {decision.reason}")
        elif code in RETRYABLE and self.run.step(step.id).attempts <= step.retries:
            pause = RETRY_SECONDS * 2 ** (self.run.step(step.id).attempts - 1)
            attempt.processes, attempt.not_before = None, time.monotonic() + pause
            self._change(step.id, reason=f"exit code {code}, trying again in {pause:.0f} s: {self._last_error(step)}")
        else:
            self._fail(attempt, code, self._last_error(step) or _describe(code))

    def _last_error(self, step: Step) -> str:
        return next((found for log in self.state.logs(self.run.id, step.id) if (found := last_lines(log).error)), "")

    def _fail(self, attempt: _Attempt, code: int, reason: str) -> None:
        self._release(attempt)
        self._change(attempt.step.id, state="failed", finished_at=time.time(), exit_code=code, reason=reason)
        self._stop_all()
        self._end("failed", f"step '{attempt.step.id}' failed: {reason}")

    def _stop_all(self) -> None:
        for attempt in list(self.active.values()):
            if attempt.processes:
                attempt.processes.stop()
            self._release(attempt)
            self._change(attempt.step.id, state="cancelled", finished_at=time.time(), reason="stopped with the run")

    def _release(self, attempt: _Attempt) -> None:
        os.close(attempt.lock)
        del self.active[attempt.step.id]

    def _end(self, state: str, reason: str) -> None:
        for step in self.run.steps:
            if step.state in ("pending", "waiting"):
                self._change(step.id, state="cancelled", reason="not started")
        self.run = self.run.model_copy(update={"state": state, "reason": reason, "finished_at": time.time()})
        self.state.save(self.run)

    def _change(self, id: str, **fields: Any) -> None:
        before = self.run.step(id)
        step = before.model_copy(update=fields)
        self.run = self.run.with_step(step)
        self.state.save(self.run)
        self.listener.changed(self.run, step)


def _describe(code: int) -> str:
    if code == -9:
        return "killed by signal 9; if nobody did that, the machine ran out of memory"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
