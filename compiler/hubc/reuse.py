"""Which steps of a plan will run and why, and which finished outputs will be reused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from hub_steps.contract import RESULT_FILE, Result, StepError
from hub_steps.files import entry_damage, local_path, read_result

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.plan import Plan, Step

MAX_SHOWN_CHANGES = 3


@dataclass(frozen=True)
class Decision:
    """What will happen to a step; `run` is the run that made what is reused, and `summary` what it said of it."""

    step: str
    action: Literal["run", "reuse"]
    reason: str
    run: str | None = None
    summary: str = ""


def decide_all(plan: Plan, root: str) -> dict[str, Decision]:
    """Return the decision for every step, given what lies below the storage root, a `file://` URI."""
    return {step.id: decide(plan, step, root) for step in plan.steps}


def decide(plan: Plan, step: Step, root: str) -> Decision:
    """Return the decision for one step; nothing is changed."""
    folder = local_path(plan.output(root, step))
    if not folder.exists():
        return Decision(step.id, "run", _why_new(step, folder.parent))
    try:
        result = read_result(folder)
    except StepError:
        return Decision(step.id, "run", "its output has no readable completion marker")
    for entry in result.files:
        if fault := entry_damage(entry, folder):
            what = "what it published is not there as it was" if entry.path.startswith("/") else "its output is damaged"
            return Decision(step.id, "run", f"{what}: {fault}")
    return Decision(step.id, "reuse", f"unchanged since {result.run}", result.run, result.summary)


def _why_new(step: Step, folder: Path) -> str:
    """Return what differs from the newest finished output of the same step."""
    finished = (path.parent for path in folder.glob(f"*/{RESULT_FILE}") if path.parent.suffix != ".partial")
    results = [result for output in finished if (result := _readable(output))]
    if not results:
        return "never finished before"
    newest = max(results, key=lambda result: result.finished_at)
    changes = list(_changes(newest.material, step.material))
    shown = "; ".join(changes[:MAX_SHOWN_CHANGES])
    more = f"; and {len(changes) - MAX_SHOWN_CHANGES} more" if len(changes) > MAX_SHOWN_CHANGES else ""
    return f"changed since {newest.run}: {shown}{more}"


def _readable(folder: Path) -> Result | None:
    try:
        return read_result(folder)
    except StepError:
        return None


def _changes(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return one line for each field or input that differs."""
    found = []
    before, after = _flat(old, ""), _flat(new, "")
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            field = name.removeprefix("parameters.")
            if field.startswith("inputs."):
                found.append(f"input '{field.removeprefix('inputs.')}'")
            else:
                found.append(f"{field} {before.get(name)} -> {after.get(name)}")
    return found


def _flat(value: Any, prefix: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        path: leaf for key, item in value.items() for path, leaf in _flat(item, f"{prefix}.{key}" if prefix else key).items()
    }
