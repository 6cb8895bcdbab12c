"""A plan as text: what would run, what is reused and why, with inputs, resources, estimates and differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.plan_views.difference_text import difference_lines, step_lines
from hubc.plan_views.estimate_text import estimate_lines
from hubc.plan_views.highlights import highlights
from hubc.plan_views.phrases import (
    action,
    change_lines,
    columns,
    counted,
    input_summary,
    resources_text,
    summary,
    what_happens,
)
from hubc.plan_views.symbols import SYMBOLS, coloured, legend
from hubc.plan_views.totals import totals
from hubc.plan_views.variants import variant_lines, variant_text
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.plan import Plan, Step
    from hubc.plan_views.shown import Shown

NOT_RENDERED = "; not yet: this version's manifest"
"""Said of what the specification has and a rendered manifest has not."""

_WIDTH = 100


def plan_text(shown: Shown, *, colour: bool = False) -> str:
    """Return the plan for people."""
    plan, decisions = shown.plan, shown.decisions
    lines = [f"{plan.pipeline} on {plan.platform}: {counted(len(plan.steps), 'step')}, plan {plan.digest[:12]}", ""]
    if shown.against:
        lines += _paragraph(difference_lines(shown.against, plan, decisions))
    lines += _paragraph(variant_lines(plan))
    for step in plan.steps:
        lines += _paragraph(_step_lines(shown, step))
    lines += _paragraph(total_lines(shown)) + _paragraph(_about(plan, is_rendered=not decisions))
    if shown.against:
        lines += _paragraph(step_lines(shown.against, plan))
    lines += _paragraph(warning_lines(plan))
    lines += [legend(action(decisions.get(step.id)) for step in plan.steps), "", summary(plan, decisions)]
    # Whatever the plan holds, each line stays one line and steers no terminal.
    safe = map(printable, lines)
    return "\n".join(map(coloured, safe) if colour else safe)


def warning_lines(plan: Plan) -> list[str]:
    """Return what to look at, with its place and remedy; none without warnings."""
    lines = [f"  {line}" for found in plan.warnings for line in (str(found), f"    help: {found.help}")]
    return [f"{counted(len(plan.warnings), 'warning')}:", *lines] if lines else []


def total_lines(shown: Shown) -> list[str]:
    """Return what the steps that will run take together; none where nothing is estimated."""
    found = totals(shown) if shown.estimates else None
    return ["Together, the steps that will run take", *(f"  {line}" for line in found.lines())] if found else []


def _about(plan: Plan, *, is_rendered: bool) -> list[str]:
    """Return when the plan runs again, and who is told; a manifest has neither yet."""
    lines = []
    if plan.schedule:
        lacks = f"{NOT_RENDERED} is one run" if is_rendered else ""
        when = f"{plan.schedule.cron} ({plan.schedule.timezone}), overlap: {plan.schedule.overlap}"
        lines.append(f"Runs again: {when}{lacks}")
    lacks = f"{NOT_RENDERED} tells nobody" if is_rendered else ""
    return lines + [f"Told of {', '.join(item.events)}: {item.url}{lacks}" for item in plan.notify]


def _paragraph(lines: list[str]) -> list[str]:
    return [*lines, ""] if lines else []


def _step_lines(shown: Shown, step: Step) -> list[str]:
    decision, estimate = shown.decisions.get(step.id), shown.estimates.get(step.id)
    lines = [f"  {SYMBOLS[action(decision)]} {step.id} ({step.kind}, key {step.key[:12]})"]
    if variant := variant_text(shown.plan, step):
        lines.append(f"      {variant}")
    lines.append(f"      {what_happens(decision)}")
    if decision and decision.summary:
        lines.append(f"      {decision.summary}")
    if decision:
        lines += [f"        {line}" for line in change_lines(decision.changes, step.kind, shown.decisions)]
    rows = _rows("settings", _wrapped(highlights(step)))
    rows += [(f"input {name}", input_summary(value)) for name, value in step.inputs.items()]
    rows.append(("resources", resources_text(step.resources)))
    if step.secrets:
        rows.append(("secrets", ", ".join(f"{secret.secret}/{secret.key}" for secret in step.secrets)))
    rows += _rows("estimate", estimate_lines(estimate) if estimate else [])
    return [*lines, *(f"      {line}" for line in columns(rows))]


def _wrapped(parts: Sequence[str]) -> list[str]:
    """Return a list in words as lines of at most _WIDTH characters, as far as no part of it is longer."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 3 <= _WIDTH:
            lines[-1] += f", {part}"
        else:
            lines = [*lines[:-1], *(f"{line}," for line in lines[-1:]), part]
    return lines


def _rows(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return lines as rows, the first of which has a name."""
    return [("" if index else name, line) for index, line in enumerate(lines)]
