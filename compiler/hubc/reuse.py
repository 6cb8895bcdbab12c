"""Which steps of a plan will run and why, and which finished outputs will be reused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from hub_steps.contract import RESULT_FILE, Request, Result, StepError, is_volatile
from hub_steps.digest import digest
from hub_steps.files import entry_damage, local_path, read_result
from hubc.plan import External
from hubc.plan_views.changes import document_changes, material_changes
from hubc.plan_views.values import pair

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.plan import Plan, Step
    from hubc.plan_views.changes import Change

MAX_CHANGES_IN_REASON = 3


@dataclass(frozen=True)
class Decision:
    """What will happen to a step, and why.

    `run` made the output that is reused, or that `changes` compare with, and finished it at `finished_at`, in seconds since
    1970; `summary` is what the step said of the output that is reused.
    """

    step: str
    action: Literal["run", "reuse"]
    reason: str
    run: str | None = None
    summary: str = ""
    finished_at: float | None = None
    changes: tuple[Change, ...] = ()


def local_storage(root: Path) -> tuple[str, Path]:
    """Return where runs on this machine, in the repository at `root`, keep outputs (a URI) and what they told the steps.

    The local backend says the same; it is not asked, since importing all that runs steps takes longer than to decide.
    """
    return (root / ".hubc" / "outputs").as_uri(), root / ".hubc" / "runs"


def decide_all(plan: Plan, root: str, runs: Path | None = None) -> dict[str, Decision]:
    """Return the decision for every step, given what lies below the storage root, a `file://` URI.

    With the folder of the `runs`, whose requests hold the documents that were used, changed documents are named.
    """
    return {step.id: planned(step, decide(plan, step, root, runs)) for step in plan.steps}


def decide(plan: Plan, step: Step, root: str, runs: Path | None = None) -> Decision:
    """Return the decision for one step; nothing is changed."""
    folder = local_path(plan.output(root, step))
    if not folder.exists():
        return _decide_new(step, folder.parent, runs)
    try:
        result = read_result(folder)
    except StepError:
        return Decision(step.id, "run", "its output has no readable completion marker")
    for entry in result.files:
        if fault := entry_damage(entry, folder):
            what = "what it published is not there as it was" if entry.is_published else "its output is damaged"
            return Decision(step.id, "run", f"{what}: {fault}")
    return Decision(step.id, "reuse", f"unchanged since {result.run}", result.run, result.summary, result.finished_at)


def planned(step: Step, decision: Decision) -> Decision:
    """Return what will happen to a step that `decide` found a whole output of, or none."""
    if decision.action == "reuse" and is_volatile(step.kind, step.parameters):
        return Decision(step.id, "run", "it compares with what is published now")
    return decision


def _decide_new(step: Step, folder: Path, runs: Path | None) -> Decision:
    """Return why a step runs that never did so with this key: what sets it apart from the closest finished output."""
    finished = (path.parent for path in folder.glob(f"*/{RESULT_FILE}") if path.parent.suffix != ".partial")
    results = [result for output in finished if (result := _readable(output))]
    if not results:
        return Decision(step.id, "run", "never finished before")
    differing = [(material_changes(step, result.material), result) for result in results]
    changes, closest = min(differing, key=lambda found: (len(found[0]), -found[1].finished_at))
    if runs:
        changes = [part for change in changes for part in _documents(step, change, runs / closest.run)]
    reason = f"changed since {closest.run}: {_brief(changes, step.kind)}"
    return Decision(step.id, "run", reason, closest.run, "", closest.finished_at, tuple(changes))


def _readable(folder: Path) -> Result | None:
    try:
        return read_result(folder)
    except StepError:
        return None


def _documents(step: Step, change: Change, run: Path) -> list[Change]:
    """Return a change of an input document by document, if what the run was given is still known."""
    value = step.inputs.get(change.field) if change.what == "input" else None
    if not isinstance(value, External) or value.documents is None:
        return [change]
    try:
        request = Request.model_validate_json((run / f"{step.id}.request.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return [change]
    before = request.inputs[change.field].documents if change.field in request.inputs else None
    if before is None or f"sha256:{digest(before)}" != change.before:
        return [change]
    return list(document_changes(change.field, before, value.documents)) or [change]


def _brief(changes: list[Change], kind: str) -> str:
    """Return the changes on one line: all of the first few, and how many more there are."""
    texts = list(dict.fromkeys(_one(change, kind) for change in changes))
    shown = "; ".join(texts[:MAX_CHANGES_IN_REASON])
    return f"{shown}; and {len(texts) - MAX_CHANGES_IN_REASON} more" if len(texts) > MAX_CHANGES_IN_REASON else shown


def _one(change: Change, kind: str) -> str:
    match change.what:
        case "code":
            return code_text(change, kind)
        case "parameter" | "setting":
            before, after = pair(change.before, change.after)
            return f"{change.field} {before} -> {after}"
        case _:
            return f"input '{change.field.partition('/')[0]}'"


def code_text(change: Change, kind: str) -> str:
    """Return that another version of hubc makes something else, or knows other fields, for the same spec."""
    if change.before == change.after:
        return f"hubc's own {kind} step changed (version {change.after}, with other fields)"
    return f"hubc's own {kind} step changed (version {_version(change.before)} -> {change.after})"


def _version(value: Any) -> str:
    return str(value) if isinstance(value, int) else "unknown"
