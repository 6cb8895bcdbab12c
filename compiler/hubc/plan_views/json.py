"""A plan for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from hubc.plan import External
from hubc.plan_views.record import (
    ChangeRecord,
    DecisionRecord,
    DifferenceRecord,
    InputRecord,
    NotificationRecord,
    PlanRecord,
    ResourcesRecord,
    ScheduleRecord,
    SecretRecord,
    StepDifferenceRecord,
    StepRecord,
    TotalsRecord,
    WarningRecord,
)
from hubc.plan_views.totals import totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubc.diagnostics import Diagnostic
    from hubc.estimates.step import StepEstimate
    from hubc.plan import Plan, Reference, Step
    from hubc.plan_views.changes import Change
    from hubc.plan_views.difference import Difference, StepDifference
    from hubc.plan_views.shown import Shown
    from hubc.reuse import Decision


def plan_record(shown: Shown) -> PlanRecord:
    """Return the plan for programs."""
    plan = shown.plan
    return PlanRecord(
        version="hubc.plan/v1",
        digest=plan.digest,
        pipeline=plan.pipeline,
        description=plan.description,
        platform=plan.platform,
        spec_digest=plan.spec_digest,
        steps=tuple(_step(plan, step, shown.decisions.get(step.id), shown.estimates.get(step.id)) for step in plan.steps),
        totals=_totals(shown),
        variants=plan.variants,
        max_parallel=plan.max_parallel,
        schedule=ScheduleRecord(**plan.schedule.model_dump()) if plan.schedule else None,
        notify=tuple(NotificationRecord.model_validate(item.model_dump()) for item in plan.notify),
        warnings=tuple(_warning(warning) for warning in plan.warnings),
        against=_difference(shown.against) if shown.against else None,
    )


def plan_json(shown: Shown) -> str:
    """Return the plan for programs as JSON text."""
    return plan_record(shown).model_dump_json(indent=2)


def _step(plan: Plan, step: Step, decision: Decision | None, estimate: StepEstimate | None) -> StepRecord:
    return StepRecord(
        id=step.id,
        kind=step.kind,
        key=step.key,
        needs=step.needs,
        parameters=step.parameters,
        inputs={name: _input(plan, value) for name, value in step.inputs.items()},
        resources=ResourcesRecord(**asdict(step.resources)),
        secrets=tuple(SecretRecord(secret=secret.secret, key=secret.key) for secret in step.secrets),
        image=step.image,
        variants=step.variants,
        retries=step.retries,
        decision=_decision(decision) if decision else None,
        estimate=estimate.as_data() if estimate else None,
    )


def _input(plan: Plan, value: Reference | External) -> InputRecord:
    if isinstance(value, External):
        documents = None if value.documents is None else tuple(value.documents)
        return InputRecord(step=None, path=None, uri=value.uri, key=value.key, documents=documents)
    key = f"{plan.step(value.step).key}/{value.path}"
    return InputRecord(step=value.step, path=value.path, uri=None, key=key, documents=None)


def _totals(shown: Shown) -> TotalsRecord | None:
    found = totals(shown)
    return TotalsRecord.model_validate(asdict(found)) if found else None


def _warning(found: Diagnostic) -> WarningRecord:
    return WarningRecord(file=found.file, line=found.line, column=found.column, rule=found.rule, message=found.message,
                         help=found.help)  # fmt: skip


def _decision(decision: Decision) -> DecisionRecord:
    return DecisionRecord(action=decision.action, reason=decision.reason, run=decision.run, finished_at=decision.finished_at,
                          changes=_changes(decision.changes))  # fmt: skip


def _changes(changes: Iterable[Change]) -> tuple[ChangeRecord, ...]:
    return tuple(ChangeRecord(**asdict(change)) for change in changes)


def _difference(found: Difference) -> DifferenceRecord:
    return DifferenceRecord(revision=found.revision, commit=found.commit, digest=found.digest, missing=found.missing,
                            changes=_changes(found.changes), steps=tuple(map(_step_difference, found.steps)))  # fmt: skip


def _step_difference(step: StepDifference) -> StepDifferenceRecord:
    return StepDifferenceRecord(step=step.step, status=step.status, other_output=step.other_output,
                                changes=_changes(step.changes))  # fmt: skip
