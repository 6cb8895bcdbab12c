"""The difference of two plans as text: what was edited, and what that means for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.plan_views.edits import edits
from hubc.plan_views.phrases import change_lines, counted, runs_because

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan
    from hubc.plan_views.difference import Difference, StepDifference
    from hubc.reuse import Decision

SYMBOLS = {"added": "+", "removed": "-", "changed": "~"}
MAX_EDITS = 30
"""Of more edits than these, the rows of the steps tell the rest."""


def difference_lines(found: Difference, plan: Plan, decisions: Mapping[str, Decision]) -> list[str]:
    """Return what was edited since a revision, and which steps run because of it."""
    name = f"{found.revision} ({found.commit[:12]})"
    if found.digest is None:
        return [f"Compared with {name}: all steps are new", f"  {found.missing}"]
    if found.digest == plan.digest:
        return [f"Compared with {name}: the same plan"]
    told = edits(found, plan)
    more = [f"and {len(told) - MAX_EDITS} more"] if len(told) > MAX_EDITS else []
    lines = [f"  {line}" for line in (*told[:MAX_EDITS], *more, runs_because(found, decisions))]
    return [f"Compared with {name}: {counted(len(told), 'edit')}", *lines]


def step_lines(found: Difference, plan: Plan) -> list[str]:
    """Return what differs from a revision, step by step; nothing where there is no other plan to compare with."""
    if found.digest is None or found.digest == plan.digest:
        return []
    lines = [f"Differences from {found.revision}, step by step: plan {found.digest[:12]} -> {plan.digest[:12]}"]
    lines += [f"  {line}" for line in change_lines(found.changes, "", {})]
    for step in found.steps:
        if step.status != "unchanged":
            lines += _step_lines(step, plan)
    same = [step.step for step in found.steps if step.status == "unchanged"]
    return [*lines, f"  Unchanged: {', '.join(same) or 'no step'}."]


def _step_lines(step: StepDifference, plan: Plan) -> list[str]:
    what = step.status if step.other_output or step.status != "changed" else "changed, but makes the same output"
    kind = plan.step(step.step).kind if step.changes else ""
    lines = change_lines(step.changes, kind, {})
    return [f"  {SYMBOLS[step.status]} {step.step}: {what}", *(f"      {line}" for line in lines)]
