"""A plan as text: what would run, what is reused and why, with inputs, resources, estimates and differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.plan_views.phrases import action, change_lines, columns, input_summary, resources_text, summary, what_happens
from hubc.plan_views.totals import totals
from hubc.plan_views.values import short
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan, Step
    from hubc.plan_views.shown import Shown
    from hubc.reuse import Decision

SYMBOLS = {"run": "+", "again": "~", "reuse": "=", "open": "?"}


def plan_text(shown: Shown) -> str:
    """Return the plan for people."""
    plan, decisions = shown.plan, shown.decisions
    lines = [f"{plan.pipeline} on {plan.platform}: {len(plan.steps)} steps, plan {plan.digest[:12]}", ""]
    for step in plan.steps:
        estimate = shown.estimates.get(step.id)
        lines += [*_step_lines(step, decisions, estimate.lines() if estimate else []), ""]
    lines += _paragraph(total_lines(shown))
    lines += _paragraph(variant_lines(plan)) + _paragraph(_about(plan))
    if shown.against:
        from hubc.plan_views.difference_text import difference_lines

        lines += _paragraph(difference_lines(shown.against, plan, decisions))
    lines += _paragraph([line for warning in plan.warnings for line in (str(warning), f"    help: {warning.help}")])
    # Whatever the plan holds, each line stays one line and steers no terminal.
    return "\n".join(map(printable, [*lines, summary(plan, decisions)]))


def total_lines(shown: Shown) -> list[str]:
    """Return what the steps that will run take together; none where nothing is estimated."""
    found = totals(shown) if shown.estimates else None
    return ["Together, the steps that will run take", *(f"  {line}" for line in found.lines())] if found else []


def variant_lines(plan: Plan) -> list[str]:
    """Return the variants of a matrix as a table, one row for each; none without a matrix."""
    if not plan.variants:
        return []
    fields = list(dict.fromkeys(field for values in plan.variants.values() for field in values))
    rows = [("variant", *fields)]
    rows += [(name, *(short(values.get(field)) for field in fields)) for name, values in plan.variants.items()]
    together = f", at most {plan.max_parallel} of their steps at once" if plan.max_parallel else ""
    return [f"{len(plan.variants)} variants{together}", *(f"  {line}" for line in columns(rows))]


def _about(plan: Plan) -> list[str]:
    """Return when the plan runs again, and who is told."""
    lines = []
    if plan.schedule:
        lines.append(f"Runs again: {plan.schedule.cron} ({plan.schedule.timezone}), overlap: {plan.schedule.overlap}")
    lines += [f"Told of {', '.join(item.events)}: {item.url}" for item in plan.notify]
    return lines


def _paragraph(lines: list[str]) -> list[str]:
    return [*lines, ""] if lines else []


def _step_lines(step: Step, decisions: Mapping[str, Decision], estimate: list[str]) -> list[str]:
    decision = decisions.get(step.id)
    head = f"  {SYMBOLS[action(decision)]} {step.id} ({step.kind}, key {step.key[:12]})"
    lines = [head, f"      {what_happens(decision)}"]
    if decision and decision.summary:
        lines.append(f"      {decision.summary}")
    if decision:
        lines += [f"        {line}" for line in change_lines(decision.changes, step.kind, decisions)]
    rows = [(f"input {name}", input_summary(value)) for name, value in step.inputs.items()]
    rows.append(("resources", resources_text(step.resources)))
    if step.secrets:
        rows.append(("secrets", ", ".join(f"{secret.secret}/{secret.key}" for secret in step.secrets)))
    rows += [("" if index else "estimate", line) for index, line in enumerate(estimate)]
    return [*lines, *(f"      {line}" for line in columns(rows))]
