"""What is said of a plan, a step or a change, in every view for people; a view makes it safe to show."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hubc.plan import External
from hubc.plan_views.changes import input_text
from hubc.plan_views.values import pair, short
from hubc.reuse import code_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from hubc.plan import Plan, Reference, Resources
    from hubc.plan_views.changes import Change
    from hubc.plan_views.difference import Difference
    from hubc.reuse import Decision


MAX_COLUMN = 40
"""Old values longer than this do not push the new ones of other lines to the right."""

MAX_NAMED = 8
"""Of more steps than these, a summary gives the number; what each of them does is said above it."""


def action(decision: Decision | None) -> str:
    """Return what will happen to a step: `run`, `again`, `reuse`, or `open` where only the cluster knows."""
    if decision is None:
        return "open"
    return "again" if decision.changes else decision.action


def what_happens(decision: Decision | None) -> str:
    """Return what will happen to a step, and why, on one line."""
    if decision is None:
        return "run, unless its output exists on the cluster"
    if decision.action == "reuse":
        return f"reuse: made by {decision.run}{_when(decision)}"
    if decision.changes:
        return f"run again: changed since {decision.run}{_when(decision)}"
    return f"run: {decision.reason}"


def summary(plan: Plan, decisions: Mapping[str, Decision]) -> str:
    """Return on one line which steps will run, and how many will be reused."""
    if not decisions:
        return "What is already done is decided on the cluster, where the outputs are."
    running = [step.id for step in plan.steps if decisions[step.id].action == "run"]
    return f"To run: {_named(running)}. To reuse: {len(plan.steps) - len(running)}."


def runs_because(found: Difference, decisions: Mapping[str, Decision]) -> str:
    """Return on one line which steps run because of a difference."""
    other = [step.step for step in found.steps if step.other_output]
    if not other:
        return "No step makes another output because of it."
    if not decisions:
        return f"Another output because of it: {_named(other)}."
    running = [id for id in other if decisions[id].action == "run"]
    done = [id for id in other if id not in running]
    said = f"To run because of it: {_named(running)}."
    return f"{said} Another output that is there already: {_named(done)}." if done else said


def _named(steps: Sequence[str]) -> str:
    return counted(len(steps), "step") if len(steps) > MAX_NAMED else ", ".join(steps) or "nothing"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: `1 step`, `2 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def change_text(change: Change) -> str:
    """Return a change on one line: what changed, from what to what."""
    if change.what == "document":
        name, _, document = change.field.partition("/")
        return f"{'leaf' if name == 'taxonomy' else name} '{document}' {change.how}"
    name = f"input {change.field}" if change.what == "input" else change.field
    before, after = pair(change.before, change.after)
    return f"{name} {before} -> {'(removed)' if change.how == 'removed' else after}"


def change_lines(changes: Iterable[Change], kind: str, decisions: Mapping[str, Decision]) -> list[str]:
    """Return one line for each change of a step of this kind, with names, old and new values in columns."""
    told = [(change, pair(change.before, change.after)) for change in changes]
    values = [before for change, (before, _) in told if change.what not in ("code", "upstream") and not _is_content(change)]
    width = max((len(before) for before in values if len(before) <= MAX_COLUMN), default=0)
    rows: list[tuple[str, ...]] = []
    for change, (before, after) in told:
        name = change.field if change.what in ("parameter", "setting") else f"input {change.field}"
        if change.what == "code":
            rows.append((code_text(change, kind),))
        elif change.what == "upstream":
            rows.append((name, _because(change, decisions)))
        elif _is_content(change):
            rows.append((name, change.how))
        else:
            rows.append((name, f"{before.ljust(width)} -> {'(removed)' if change.how == 'removed' else after}"))
    return columns(rows)


def _is_content(change: Change) -> bool:
    """Tell whether a change is of a document that is known by its digest, which tells a reader nothing."""
    return change.what == "document" and str(change.before or change.after).startswith("sha256:")


def columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows of cells as lines whose columns begin at the same place; nothing is aligned with a last cell."""
    widths: dict[int, int] = {}
    for row in rows:
        for index, cell in enumerate(row[:-1]):
            widths[index] = max(widths.get(index, 0), len(cell))
    return ["  ".join([*(cell.ljust(widths[at]) for at, cell in enumerate(row[:-1])), row[-1]]).rstrip() for row in rows]


def input_summary(value: Reference | External) -> str:
    """Return what an input is, short enough for a line."""
    if isinstance(value, External) and value.documents is not None:
        return f"{_documents(value.documents)} ({short(value.key)})"
    if isinstance(value, External) and value.uri and "://" not in value.key:
        return f"{short(value.uri)} ({short(value.key)})"
    return short(input_text(value))


def _documents(documents: Mapping[str, Any]) -> str:
    if isinstance(path := documents.get("path"), str):
        return short(path)
    if all(isinstance(document, dict) for document in documents.values()):
        return f"{len(documents)} {'leaf' if len(documents) == 1 else 'leaves'}"
    return "from the repository"


def resources_text(resources: Resources) -> str:
    """Return what a step gets, on one line."""
    parts = [f"{resources.nodes} nodes of"] if resources.nodes > 1 else []
    parts += [f"{resources.cpus} cores,", f"{resources.memory_gib} GiB"]
    if resources.accelerators:
        emulated = "emulated " if resources.is_emulated else ""
        parts.append(f"and {resources.accelerators} {emulated}{resources.accelerator}")
    return f"{' '.join(parts)}; at most {resources.timeout_minutes} min"


def _because(change: Change, decisions: Mapping[str, Decision]) -> str:
    step = f"'{change.step}'"
    match action(decisions.get(change.step or "")):
        case "again":
            return f"because {step} runs again"
        case "run":
            return f"because {step} runs"
        case "reuse":
            return f"because {step} reuses another output"
        case _:
            return f"because {step} makes another output"


def _when(decision: Decision) -> str:
    if decision.finished_at is None:
        return ""
    return time.strftime(", %Y-%m-%d %H:%M UTC", time.gmtime(decision.finished_at))
