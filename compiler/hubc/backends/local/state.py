"""The folder `.hubc`: records of runs, their logs, and what steps made. It survives whatever happens to a process."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hub_steps.files import write_durably
from hubc.backends.local.processes import lock_file, take_lock
from hubc.errors import UnreachableError, UsageError
from hubc.runs import ENDED, Run, StepRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubc.plan import Plan

RECORD = "run.json"
DRIVER_LOCK = "driver.lock"
"""Held by the process that drives a run for as long as it lives: a process id alone may belong to another by now."""
SUBMIT_LOCK = "submit.lock"


class State:
    """Runs below `<root>/.hubc/runs`, outputs below `<root>/.hubc/outputs`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".hubc"
        self.runs = self.folder / "runs"

    @property
    def storage_root(self) -> str:
        """URI below which the outputs of steps lie."""
        return (self.folder / "outputs").as_uri()

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Let nobody else submit for as long as this lasts, so that one plan is not started twice.

        Raises UnreachableError if nothing can be written there.
        """
        with self._writing():
            self._make_folder()
            file = (self.folder / SUBMIT_LOCK).open("w", encoding="utf-8")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def create(self, plan: Plan, spec: str) -> tuple[Run, int]:
        """Make the folder and the record of a new run, which waits for the process that drives it.

        That is who holds the descriptor that comes with it; once nobody does, nobody drives the run.
        Raises UnreachableError if nothing can be written there.
        """
        now = time.time()
        stem = f"{plan.pipeline}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}"
        with self._writing():
            self._make_folder()
            name = self._claim(stem)
            lock = take_lock(self.runs / name / DRIVER_LOCK)
            run = Run(
                id=name,
                pipeline=plan.pipeline,
                platform=plan.platform,
                spec=spec,
                plan_digest=plan.digest,
                state="pending",
                created_at=now,
                steps=tuple(StepRun(id=step.id, kind=step.kind, key=step.key) for step in plan.steps),
            )
            (self.runs / name / "plan.json").write_text(json.dumps(plan.as_data(), indent=2), encoding="utf-8")
            self.save(run)
        return run, lock

    def restart(self, run: Run) -> tuple[Run, int]:
        """Make a run that has ended one that waits again, as `create` does; the logs it has are set aside."""
        with self._writing():
            folder = self.runs / run.id
            lock = take_lock(folder / DRIVER_LOCK)
            aside = folder / f"attempt-{1 + sum(1 for _ in folder.glob('attempt-*'))}"
            aside.mkdir()
            for log in folder.glob("*.log"):
                log.rename(aside / log.name)
            steps = tuple(StepRun(id=step.id, kind=step.kind, key=step.key) for step in run.steps)
            fresh = {"state": "pending", "reason": "", "finished_at": None, "pid": None, "steps": steps}
            run = run.model_copy(update=fresh)
            self.save(run)
        return run, lock

    def begin(self, run: Run) -> Run:
        """Record that this process drives a run from now on."""
        run = run.model_copy(update={"state": "running", "pid": os.getpid()})
        self.save(run)
        return run

    def _make_folder(self) -> None:
        self.runs.mkdir(parents=True, exist_ok=True)
        (self.folder / ".gitignore").write_text("*\n", encoding="utf-8")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnreachableError(f"cannot write below {self.folder}: {error.strerror}") from None

    def _claim(self, stem: str) -> str:
        for number in range(1, 1000):
            name = stem if number == 1 else f"{stem}-{number}"
            try:
                (self.runs / name).mkdir()
            except FileExistsError:
                continue
            return name
        raise UnreachableError(f"too many runs named {stem}")

    def save(self, run: Run) -> None:
        """Replace the record of a run.

        Raises UnreachableError if it cannot be written.
        """
        with self._writing():
            write_durably(self.runs / run.id / RECORD, run.model_dump_json(indent=2))

    def load(self, id: str) -> Run:
        """Return a run; one whose process is gone without a word has failed.

        Raises UsageError if there is none of this name, or its record cannot be read.
        """
        path = self.runs / id / RECORD
        if "/" in id or not path.is_file():
            known = ", ".join(run.id for run in self.all()[:5]) or "none yet"
            raise UsageError(f"no run '{id}'; the newest: {known}")
        try:
            run = _read(path)
            if run.state in ENDED or self.is_driven(id):
                return run
            # It may have ended well since its record was read.
            run = _read(path)
        except (OSError, ValidationError) as error:
            raise UsageError(f"the record of run '{id}' cannot be read: {path}: {error}") from None
        return run if run.state in ENDED else _abandoned(run)

    def is_driven(self, id: str) -> bool:
        """Tell whether the process that drives a run is alive."""
        try:
            lock = lock_file(self.runs / id / DRIVER_LOCK, shared=True)
        except FileNotFoundError:
            return False
        if lock is not None:
            os.close(lock)
        return lock is None

    def all(self) -> list[Run]:
        """Return all readable runs, the newest first."""
        found = []
        for path in self.runs.glob(f"*/{RECORD}"):
            try:
                found.append(self.load(path.parent.name))
            except UsageError:
                continue
        return sorted(found, key=lambda run: (run.created_at, run.id), reverse=True)

    def log(self, run: str, step: str, node: int = 0) -> Path:
        """Return the log file of a step's node."""
        return self.runs / run / f"{step}.{node}.log"

    def logs(self, run: str, step: str) -> list[Path]:
        """Return the log files of all nodes of a step."""
        return sorted(self.runs.joinpath(run).glob(f"{step}.*.log"))

    def remove(self, id: str) -> None:
        """Forget a run.

        Raises UsageError if somebody else just did.
        """
        try:
            shutil.rmtree(self.runs / id)
        except FileNotFoundError:
            raise UsageError(f"run '{id}' has just been deleted by somebody else") from None


def _read(path: Path) -> Run:
    return Run.model_validate_json(path.read_text(encoding="utf-8"))


def _abandoned(run: Run) -> Run:
    """Return the run as failed: its driver was killed before it could say so."""
    process = f"hubc (process {run.pid})" if run.pid is not None else "hubc"
    reason = f"{process} ended without a word; run it again, and finished steps are reused"
    steps = tuple(
        step.model_copy(update={"state": "failed" if step.state == "running" else "cancelled", "reason": reason})
        if step.state in ("pending", "waiting", "running")
        else step
        for step in run.steps
    )
    return run.model_copy(update={"state": "failed", "reason": reason, "steps": steps})
