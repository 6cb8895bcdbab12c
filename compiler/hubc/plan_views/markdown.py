"""A plan as a pull request shows it: GitHub Markdown of bounded length, in which no text of a spec means anything.

Whatever others wrote stands in code, where GitHub makes no link, mention or reference of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.markdown import block, code
from hubc.plan_views.difference_text import difference_lines, step_lines
from hubc.plan_views.estimate_text import headline
from hubc.plan_views.mermaid import graph
from hubc.plan_views.phrases import action, change_lines, counted, resources_text, summary, what_happens
from hubc.plan_views.text import total_lines, warning_lines
from hubc.plan_views.variants import variant_lines, variant_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.plan import Step
    from hubc.plan_views.shown import Shown

MAX_CHARACTERS = 60_000
"""A comment on GitHub holds 65,536. The bounds below keep within it, since there are at most six blocks."""
_GRAPH_CHARACTERS = 9_000
_TABLE_CHARACTERS = 14_000
_BLOCK_CHARACTERS = 6_000
_EDITS_CHARACTERS = 3_000
_NAMES_CHARACTERS = 2_000
_HAPPENS = {"run": "run", "again": "run again", "reuse": "reuse", "open": "run, unless done"}


def plan_markdown(shown: Shown) -> str:
    """Return the plan as Markdown of at most MAX_CHARACTERS characters."""
    plan = shown.plan
    parts = [f"### Plan {code(plan.digest[:12])}: {code(plan.pipeline)} on {code(plan.platform)}"]
    if warnings := warning_lines(plan):
        parts.append(_block(warnings))
    if shown.against:
        parts.append(_block(difference_lines(shown.against, plan, shown.decisions), _EDITS_CHARACTERS))
    if variants := variant_lines(plan):
        parts.append(_details("Variants", variants))
    drawn = graph(plan, shown.decisions, shown.against)
    parts.append(drawn if len(drawn) <= _GRAPH_CHARACTERS else f"The graph of {len(plan.steps)} steps is too large to draw.")
    parts += [_table(shown), _summary(shown)]
    if together := total_lines(shown):
        parts.append(_block(together))
    if why := [line for step in plan.steps for line in _why(shown, step)]:
        parts.append(_details("Why steps run again", why))
    if differing := step_lines(shown.against, plan) if shown.against else []:
        parts.append(_details("Differences, step by step", differing))
    return "\n\n".join(parts) + "\n"


def _block(lines: Sequence[str], most: int = _BLOCK_CHARACTERS) -> str:
    return block(lines, most, "; all of them: hubc plan")


def _details(title: str, lines: Sequence[str]) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{_block(lines)}\n\n</details>"


def _table(shown: Shown) -> str:
    """Return one row for each step; steps that there is no room for are named."""
    lines = ["| step | what happens | why | resources | estimate |", "|---|---|---|---|---|"]
    length = 0
    for number, step in enumerate(shown.plan.steps):
        row = _row(shown, step)
        length += len(row) + 1
        if length > _TABLE_CHARACTERS:
            left = [step.id for step in shown.plan.steps[number:]]
            return "\n".join([*lines, "", f"{counted(len(left), 'more step')} left out: {_names(left)}"])
        lines.append(row)
    return "\n".join(lines)


def _row(shown: Shown, step: Step) -> str:
    decision, estimate = shown.decisions.get(step.id), shown.estimates.get(step.id)
    why = what_happens(decision).partition(": ")[2]
    variant = variant_text(shown.plan, step)
    name = f"{code(step.id)}<br>{code(variant)}" if variant else code(step.id)
    cells = [name, _HAPPENS[action(decision)], code(why) if why else "", code(resources_text(step.resources)),
             code(said) if estimate and (said := headline(estimate)) else ""]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _names(names: Sequence[str]) -> str:
    """Return names in code, as many as there is room for, and how many more there are."""
    shown: list[str] = []
    length = 0
    for name in names:
        length += len(code(name)) + 2
        if length > _NAMES_CHARACTERS:
            return f"{', '.join(shown)} and {len(names) - len(shown)} more"
        shown.append(code(name))
    return ", ".join(shown)


def _summary(shown: Shown) -> str:
    if not shown.decisions:
        return summary(shown.plan, shown.decisions)
    running = [step.id for step in shown.plan.steps if shown.decisions[step.id].action == "run"]
    return f"To run: {_names(running) or 'nothing'}. To reuse: {len(shown.plan.steps) - len(running)}."


def _why(shown: Shown, step: Step) -> list[str]:
    decision = shown.decisions.get(step.id)
    if decision is None or not decision.changes:
        return []
    lines = change_lines(decision.changes, step.kind, shown.decisions)
    return [f"{step.id}: {what_happens(decision)}", *(f"    {line}" for line in lines)]
