"""What was edited between two plans: each difference that no other one explains, told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.plan_views.phrases import change_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hubc.plan import Plan
    from hubc.plan_views.changes import Change
    from hubc.plan_views.difference import Difference, StepDifference


def edits(found: Difference, plan: Plan) -> list[str]:
    """Return the edits as text; what several steps share, such as a leaf or a section of the spec, is one edit."""
    told = [change_text(change) for change in found.changes]
    told += [f"step '{step.step}' {step.status}" for step in found.steps if step.status in ("added", "removed")]
    about = {change.field for change in found.changes}
    edited: dict[tuple[str, str, bool], list[str]] = {}
    for step in found.steps:
        for change in _unexplained(step, about):
            edited.setdefault((plan.step(step.step).kind, *_told(change)), []).append(step.step)
    told += [text if is_whole else f"{_where(kind, steps, plan)}{text}" for (kind, text, is_whole), steps in edited.items()]
    return list(dict.fromkeys(told))


def _unexplained(step: StepDifference, about: set[str]) -> Iterator[Change]:
    """Yield the changes of a step that no other one explains, given the fields `about` the plan that changed."""
    sections = {change.field.partition(".")[0] for change in step.changes if change.what == "parameter"}
    for change in step.changes:
        # The description is also a document of the step that publishes it, and a teacher's location also an input.
        is_description = change.what == "document" and change.field.partition("/")[2] in about
        is_parameter = change.what == "input" and change.field in sections
        if change.what != "upstream" and not is_description and not is_parameter:
            yield change


def _told(change: Change) -> tuple[str, bool]:
    """Return an edit as text after the name of its section, and whether it stands alone, as that of a leaf does."""
    if change.what == "document":
        return change_text(change), True
    return f"{': ' if change.what == 'input' else '.'}{change_text(change)}", False


def _where(kind: str, steps: Sequence[str], plan: Plan) -> str:
    """Return the kind of the steps that share an edit; one step among others of its kind has its own name."""
    of_kind = sum(1 for step in plan.steps if step.kind == kind)
    return steps[0] if len(steps) == 1 and of_kind > 1 else kind
