"""What differs between the plan of a spec and the plan of the same spec at another revision."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from hubc.plan import External, Plan, Reference, Step
from hubc.plan_views.changes import Change, document_changes, input_text, mapping_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

Status = Literal["added", "removed", "changed", "unchanged"]


@dataclass(frozen=True)
class StepDifference:
    """How one step differs; `other_output` says that it makes another output, known by another cache key, or a first one."""

    step: str
    status: Status
    changes: tuple[Change, ...]
    other_output: bool


@dataclass(frozen=True)
class Difference:
    """How a plan differs from the one at a revision; `missing` says why there is none to compare with."""

    revision: str
    commit: str
    digest: str | None
    missing: str
    changes: tuple[Change, ...]
    steps: tuple[StepDifference, ...]


def difference(before: Plan, after: Plan, revision: str, commit: str) -> Difference:
    """Return how the plan `after` differs from the plan `before`, which is that of a revision."""
    old = {step.id: step for step in before.steps}
    steps = [_compare(old.pop(step.id, None), step, before, after) for step in after.steps]
    steps += [StepDifference(id, "removed", (), other_output=False) for id in old]
    about = mapping_changes("setting", _about(before), _about(after))
    return Difference(revision, commit, before.digest, "", tuple(about), tuple(steps))


def all_new(plan: Plan, revision: str, commit: str, missing: str) -> Difference:
    """Return the difference for a revision that has no plan to compare with, for the reason `missing`."""
    steps = tuple(StepDifference(step.id, "added", (), other_output=True) for step in plan.steps)
    return Difference(revision, commit, None, missing, (), steps)


def _about(plan: Plan) -> dict[str, Any]:
    """Return what a plan says beside its steps."""
    return {name: value for name, value in plan.as_data().items() if name not in ("version", "spec_digest", "steps")}


def _compare(old: Step | None, new: Step, before: Plan, after: Plan) -> StepDifference:
    if old is None:
        return StepDifference(new.id, "added", (), other_output=True)
    changes = (
        *mapping_changes("parameter", old.parameters, new.parameters),
        *_inputs(old, new, before, after),
        *mapping_changes("setting", _settings(old), _settings(new)),
    )
    return StepDifference(new.id, "changed" if changes else "unchanged", changes, other_output=old.key != new.key)


def _settings(step: Step) -> dict[str, Any]:
    secrets = {f"{secret.secret}/{secret.key}": True for secret in step.secrets}
    return {"kind": step.kind, "resources": asdict(step.resources), "image": step.image, "retries": step.retries,
            "secrets": sorted(secrets)}  # fmt: skip


def _inputs(old: Step, new: Step, before: Plan, after: Plan) -> Iterator[Change]:
    for name in dict.fromkeys((*new.inputs, *old.inputs)):
        was, now = old.inputs.get(name), new.inputs.get(name)
        match was, now:
            case Reference(), Reference() if was == now:
                keys = before.step(was.step).key, after.step(now.step).key
                if keys[0] != keys[1]:
                    yield Change("upstream", name, *keys, step=now.step)
            case External(documents=dict(old_files)), External(documents=dict(files)):
                yield from document_changes(name, old_files, files)
            case _, None:
                yield Change("input", name, _text(was), None, "removed")
            case None, _:
                yield Change("input", name, None, _text(now), "added")
            case External(key=first), External(key=second) if first == second:
                if was.uri != now.uri:
                    yield Change("input", name, was.uri, now.uri)
            case _ if was != now:
                yield Change("input", name, _text(was), _text(now))


def _text(value: Reference | External | None) -> str | None:
    return None if value is None else input_text(value)
