"""How a run is doing, by what its steps left in storage."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hub_steps import storage
from hub_steps.contract import RESULT_FILE, ExitCode, Record, Result, StepError, redact
from hub_steps.credentials import mask
from hub_steps.evaluate.report import EVALUATION_FILE, Evaluation
from hub_steps.logs import Tail, tail
from hub_steps.printable import printable
from hub_steps.reporting import RunFacts, StepFacts

if TYPE_CHECKING:
    from hub_steps.reporting import ReportedStep, ReportRequest

Model = TypeVar("Model", bound=Record)
STATES = {"Running": "running", "Succeeded": "succeeded", "Failed": "failed", "Error": "failed"}
"""What Argo says of a Workflow, and the state of a run that it means."""
LOG_CHARACTERS = 64 * 1024
MAX_CHARACTERS = 500
"""Longest summary or error that is passed on."""
VANISHED = "it ended without saying why, as a process does that was killed or ran out of memory"


@dataclass(frozen=True)
class StepFound:
    """What a step left."""

    facts: StepFacts
    seconds: float | None = None
    """How long it took in this run."""
    error: str = ""
    log: tuple[str, ...] = ()
    """The last lines of its log, if it failed."""
    evaluation: Evaluation | None = None


@dataclass(frozen=True)
class RunFound:
    """What is known of a run, and what could not be read of it."""

    facts: RunFacts
    steps: tuple[StepFound, ...]
    faults: tuple[str, ...]


def find_run(request: ReportRequest, run: str, status: str) -> RunFound:
    """Return how a run is doing; `status` is Argo's word for it."""
    steps, faults = [], []
    for step in request.steps:
        try:
            steps.append(_Left(request, run, step, is_over=status != "Running").found())
        except StepError as error:
            faults.append(f"cannot read what step '{step.id}' left: {_clean(str(error))}")
            steps.append(StepFound(StepFacts(id=step.id, kind=step.kind, state="unknown")))
    facts = RunFacts(
        run=run,
        pipeline=request.pipeline,
        platform=request.platform,
        plan_digest=request.plan_digest,
        state=STATES[status],
        detail=_detail(status, steps),
        steps=tuple(step.facts for step in steps),
    )
    return RunFound(facts, tuple(steps), tuple(faults))


def _detail(status: str, steps: list[StepFound]) -> str:
    if STATES[status] != "failed":
        return ""
    for step in steps:
        if step.facts.state == "failed":
            return f"step '{step.facts.id}' failed: {step.error}"
    for step in steps:
        if step.facts.state == "cancelled" and step.error:
            return f"step '{step.facts.id}' was stopped: the run was stopped, or a time limit passed"
    return "the workflow failed outside of its steps" if status == "Failed" else "the workflow ended in an error"


class _Left:
    """What one step left in storage."""

    def __init__(self, request: ReportRequest, run: str, step: ReportedStep, *, is_over: bool) -> None:
        self.step, self.run, self.is_over = step, run, is_over
        self.record = f"{request.record.rstrip('/')}/{run}/{step.id}"
        self.wants_evaluation = (
            step.kind == "evaluate" and request.github is not None and request.github.pull_request is not None
        )

    def found(self) -> StepFound:
        """Return what it left; raises StepError if the storage does not let it be read."""
        result = self._read_as(Result, f"{self.step.output}/{RESULT_FILE}")
        if result and result.run == self.run:
            return self._done("succeeded", result, result.finished_at - result.started_at)
        failure = read_text(f"{self.record}.failure.json")
        if failure is not None:
            return self._failed(failure)
        if result and not self.step.is_volatile:
            return self._done("reused", result, None)
        if not self.is_over:
            return StepFound(self._facts("pending"))
        end = self._tail()
        # Without a log it was never started.
        return StepFound(self._facts("failed"), error=VANISHED, log=tuple(end.lines)) if end else self._not_started()

    def _done(self, state: str, result: Result, seconds: float | None) -> StepFound:
        evaluation = None
        if self.wants_evaluation:
            evaluation = self._read_as(Evaluation, f"{self.step.output}/{EVALUATION_FILE}")
        return StepFound(self._facts(state, _clean(result.summary)), seconds, evaluation=evaluation)

    def _failed(self, failure: str) -> StepFound:
        code, error = _failure(failure)
        end = self._tail() or Tail([], "")
        state = "cancelled" if code == ExitCode.STOPPED else "failed"
        return StepFound(self._facts(state), error=_clean(error or end.error or VANISHED), log=tuple(end.lines))

    def _not_started(self) -> StepFound:
        return StepFound(self._facts("cancelled"))

    def _facts(self, state: str, summary: str = "") -> StepFacts:
        return StepFacts(id=self.step.id, kind=self.step.kind, state=state, summary=summary)

    def _tail(self) -> Tail | None:
        text = read_text(f"{self.record}.0.log")
        return None if text is None else tail(mask(redact(text[-LOG_CHARACTERS:])))

    def _read_as(self, model: type[Model], uri: str) -> Model | None:
        text = read_text(uri)
        if text is None:
            return None
        try:
            return model.model_validate_json(text)
        except ValueError:
            # Of an older hubc, or damaged: the same as if it were not there.
            return None


def read_text(uri: str) -> str | None:
    """Return the text of a file in storage, or None if it is not there; raises StepError if that cannot be told."""
    return storage.read_text(uri, errors="replace") if storage.exists(uri) else None


def _failure(text: str) -> tuple[int | None, str]:
    """Return exit code and error that the record of a failure holds; whatever else it is, the step has failed."""
    try:
        told = json.loads(text)
        return told.get("exit_code"), str(told.get("error") or "")
    except (ValueError, AttributeError):
        return None, ""


def _clean(text: str) -> str:
    """Return the start of a text without credentials, on one line."""
    shown = printable(" ".join(mask(redact(text)).split()))
    return shown if len(shown) <= MAX_CHARACTERS else f"{shown[: MAX_CHARACTERS - 1]}…"
