"""Runs a plan on this machine: steps start when what they need is done, and the record says at any time how far it is."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from hub_steps.contract import RESULT_FILE, ExitCode
from hub_steps.files import local_path
from hub_steps.logs import progress_text
from hubc.backends.local.events import LogReader, last_lines
from hubc.backends.local.processes import RETRYABLE, StepProcesses, lock_file, stop_together
from hubc.reuse import decide, planned
from hubc.runs import DONE, Run, StepRun

if TYPE_CHECKING:
    from types import FrameType

    from hubc.backends.local.state import State
    from hubc.plan import Plan, Step

POLL_SECONDS = 0.1
SAVE_SECONDS = 1.0
"""Shortest time between two records of progress; every change of state is recorded at once."""
RETRY_SECONDS = 5.0
"""Pause before a second attempt; doubled before each further one."""
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Listener(Protocol):
    """Whoever shows a run while it goes on."""

    def changed(self, run: Run, step: StepRun) -> None:
        """A step has another state."""

    def event(self, run: Run, step: StepRun, event: dict[str, Any]) -> None:
        """A step tells something: an event of the step contract."""


class StopSignals:
    """Notes that this process was told to stop, so that the run ends between two actions and never in the middle of one.

    A signal that whoever started the process wants ignored, as `nohup` does, stays ignored.
    """

    def __init__(self) -> None:
        self.received = False
        self.before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in STOP_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self.before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self.before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = True


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
        self, plan: Plan, run: Run, state: State, parallel_steps: int, listener: Listener, told_to_stop: StopSignals
    ) -> None:
        self.plan = plan
        self.run = run
        self.state = state
        self.parallel_steps = parallel_steps
        self.listener = listener
        self.told_to_stop = told_to_stop
        self.active: dict[str, _Attempt] = {}
        self.saved, self.saved_at = run, 0.0

    def drive(self) -> Run:
        """Run until every step is done or one has failed, and return the run as it ended.

        Raises KeyboardInterrupt when told to stop, after everything that was started has ended and the run is cancelled.
        """
        try:
            while self.run.state == "running":
                if self.told_to_stop.received:
                    raise KeyboardInterrupt
                self._start_ready()
                self._poll()
                if all(step.state in DONE for step in self.run.steps):
                    self._end("succeeded", "")
                elif self.run is not self.saved and time.monotonic() - self.saved_at >= SAVE_SECONDS:
                    self._save()
                else:
                    time.sleep(POLL_SECONDS)
        except BaseException as error:
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
                if self._may_start(step):
                    self._take(step, now)

    def _may_start(self, step: Step) -> bool:
        """Tell whether the plan lets one more step of its variants run."""
        sweep = sum(bool(attempt.step.variants) for attempt in self.active.values())
        return not step.variants or self.plan.max_parallel is None or sweep < self.plan.max_parallel

    def _take(self, step: Step, now: StepRun) -> None:
        """Reuse the step's output, or lock it and start; while another run holds the lock, wait for it."""
        output = local_path(self.plan.output(self.state.storage_root, step))
        output.parent.mkdir(parents=True, exist_ok=True)
        lock = lock_file(output.with_name(f"{output.name}.lock"))
        if lock is None:
            if now.state != "waiting":
                self._change(step.id, state="waiting", reason="another run is making the same output")
            return
        decision = planned(step, decide(self.plan, step, self.state.storage_root))
        if decision.action == "reuse":
            os.close(lock)
            self._change(step.id, state="reused", reason=decision.reason, finished_at=time.time(), summary=decision.summary,
                         reused_from=decision.run)  # fmt: skip
            return
        # A step takes an output with a completion marker for done; this one is there only if the output is damaged.
        (output / RESULT_FILE).unlink(missing_ok=True)
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
                stop_together([attempt.processes])
                self._fail(attempt, ExitCode.FAILED, f"the time limit of {limit} minutes has passed")

    def _launch(self, attempt: _Attempt) -> None:
        step, folder = attempt.step, self.state.runs / self.run.id
        request = folder / f"{step.id}.request.json"
        told = self.plan.request(step, self.run.id, self.state.storage_root, self.state.root.as_uri(), None)
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
                    step = step.model_copy(update={"progress": progress_text(event)})
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
        """Stop every step; what is written comes last, so that a full disk leaves no process behind."""
        attempts = list(self.active.values())
        for attempt in attempts:
            self.listener.changed(self.run, self.run.step(attempt.step.id).model_copy(update={"reason": "stopping"}))
        stop_together([attempt.processes for attempt in attempts if attempt.processes])
        for attempt in attempts:
            self._release(attempt)
        for attempt in attempts:
            self._change(attempt.step.id, state="cancelled", finished_at=time.time(), reason="stopped with the run")

    def _release(self, attempt: _Attempt) -> None:
        os.close(attempt.lock)
        del self.active[attempt.step.id]

    def _end(self, state: str, reason: str) -> None:
        for step in self.run.steps:
            if step.state in ("pending", "waiting"):
                self._change(step.id, state="cancelled", reason="not started")
        self.run = self.run.model_copy(update={"state": state, "reason": reason, "finished_at": time.time()})
        self._save()

    def _change(self, id: str, **fields: Any) -> None:
        before = self.run.step(id)
        step = before.model_copy(update=fields)
        self.run = self.run.with_step(step)
        self._save()
        self.listener.changed(self.run, step)

    def _save(self) -> None:
        self.state.save(self.run)
        self.saved, self.saved_at = self.run, time.monotonic()


def _describe(code: int) -> str:
    if code == -9:
        return "killed by signal 9; if nobody did that, the machine ran out of memory"
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
