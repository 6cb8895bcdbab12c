"""Why a step runs: what differs from the closest finished output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub_steps.contract import Result
from hub_steps.digest import digest
from hub_steps.parameters import TrainStepParameters
from hubc.backends.local.state import State
from hubc.plan import External, Plan, Reference, Resources, Step
from hubc.reuse import decide, local_storage

PARAMETERS = {"rate": 1e-4, "epochs": 3, "filters": {"low": 0.5}, "names": ["a"], "teacher": {"serve": None}}
MATERIAL = {"kind": "train", "code_version": 1, "parameters": PARAMETERS, "inputs": {"data": "x", "model": "m"}}
STEP = Step(
    id="train",
    kind="train",
    parameters=PARAMETERS,
    inputs={},
    resources=Resources(1, 1, 1, 0, None, 1),
    secrets=(),
    image=None,
    material=MATERIAL,
)


def plan_with(material: dict[str, Any]) -> Plan:
    return Plan("p", "", "local", "0", (replace(STEP, material=material),))


def finished(root: Path, material: dict[str, Any], run: str, at: float = 1.0, suffix: str = "") -> None:
    store(root, plan_with(material), run, at, suffix)


def store(root: Path, plan: Plan, run: str, at: float = 1.0, suffix: str = "") -> None:
    """Write the completion marker of a plan's last step."""
    step = plan.steps[-1]
    folder = Path(plan.output(root.as_uri(), step).removeprefix("file://") + suffix)
    folder.mkdir(parents=True)
    result = Result(kind="train", step="train", key=step.key, material=step.material, run=run, started_at=0,
                    finished_at=at, summary="done", metrics={}, files=(), packages={})  # fmt: skip
    (folder / "result.json").write_text(result.model_dump_json())


def reason(root: Path, material: dict[str, Any]) -> str:
    plan = plan_with(material)
    return decide(plan, plan.steps[0], root.as_uri()).reason


def changed(**sections: Any) -> dict[str, Any]:
    """Return the material with some parameters or other sections changed."""
    other = json.loads(json.dumps(MATERIAL))
    for name, value in sections.items():
        (other if name in other else other["parameters"])[name] = value
    return other


@pytest.mark.parametrize(
    ("material", "why"),
    [
        (changed(rate=2e-4), "rate 0.0001 -> 0.0002"),
        (changed(filters={"low": 0.75}), "filters.low 0.5 -> 0.75"),
        (changed(names=["a", "b"]), 'names ["a"] -> ["a", "b"]'),
        (changed(code_version=2), "hubc's own train step changed (version 1 -> 2)"),
        (changed(inputs={"data": "y", "model": "m"}), "input 'data'"),
        (changed(inputs={"data": "x"}), "input 'model'"),
        (changed(extra={"new": 1}), "extra.new (not set) -> 1"),
        (changed(teacher={"serve": {"model": "a"}}), "teacher.serve.model (not set) -> a"),
        (changed(epochs=3.0), "epochs 3 -> 3.0"),
        (changed(teacher={"serve": {"model": "a"}}, rate=1, epochs=1, names=[]),
         'rate 0.0001 -> 1; epochs 3 -> 1; names ["a"] -> []; and 1 more'),
        (changed(rate=1, inputs={"data": "y", "model": "m"}), "rate 0.0001 -> 1; input 'data'"),
    ],
)  # fmt: skip
def test_what_changed(tmp_path: Path, material: dict[str, Any], why: str) -> None:
    finished(tmp_path, MATERIAL, "before")
    assert reason(tmp_path, material) == f"changed since before: {why}"


def test_hubc_of_another_version_knows_other_fields(tmp_path: Path) -> None:
    old = changed()
    del old["parameters"]["epochs"]
    old["parameters"]["gone"] = 1
    defaults = TrainStepParameters.model_fields
    now = changed(seed=defaults["seed"].default, beta1=0.5)
    finished(tmp_path, old, "before")
    assert reason(tmp_path, now) == (
        "changed since before: hubc's own train step changed (version 1, with other fields); epochs (not set) -> 3; "
        "beta1 (not set) -> 0.5"
    )
    finished(tmp_path, changed(code_version=0), "older", at=2.0)
    assert reason(tmp_path, changed(seed=42)) == ("changed since older: hubc's own train step changed (version 0 -> 1)")


def test_material_of_any_shape(tmp_path: Path) -> None:
    finished(tmp_path, {"parameters": [1], "inputs": None}, "odd")
    found = reason(tmp_path, MATERIAL)
    assert found.startswith(
        "changed since odd: hubc's own train step changed (version unknown -> 1); rate (not set) -> 0.0001"
    )
    assert found.endswith(" more")


def test_closest_counts(tmp_path: Path) -> None:
    finished(tmp_path, changed(rate=1, epochs=1), "newest", at=3)
    finished(tmp_path, changed(epochs=2), "closest", at=2)
    finished(tmp_path, changed(epochs=4), "older", at=1)
    assert reason(tmp_path, MATERIAL) == "changed since closest: epochs 2 -> 3"


def with_inputs(data: str, leaves: dict[str, Any]) -> Plan:
    """Return a plan with a step that reads what another one makes, and documents."""
    taxonomy = documents(leaves)
    generate = replace(STEP, id="generate", kind="generate", material=changed(kind="generate", seed=data))
    inputs: dict[str, Reference | External] = {"data": Reference("generate", "train.jsonl"), "taxonomy": taxonomy}
    keys = {"data": f"{generate.key}/train.jsonl", "taxonomy": taxonomy.key}
    return Plan("p", "", "local", "0", (generate, replace(STEP, inputs=inputs, material=changed(inputs=keys))))


def documents(leaves: dict[str, Any]) -> External:
    return External(key=f"sha256:{digest(leaves)}", documents=leaves)


def changes(root: Path, plan: Plan) -> list[tuple[str, str, str, str | None]]:
    found = decide(plan, plan.steps[-1], root.as_uri(), root / "runs").changes
    return [(change.what, change.field, change.how, change.step) for change in found]


def test_what_comes_from_another_step(tmp_path: Path) -> None:
    leaves = {"knowledge/tides": {"domain": "sea"}}
    store(tmp_path, with_inputs("1", leaves), "before")
    assert changes(tmp_path, with_inputs("2", leaves)) == [("upstream", "data", "changed", "generate")]


def test_leaves_that_changed_are_named_while_the_request_is_known(tmp_path: Path) -> None:
    before = with_inputs("1", {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}})
    after = with_inputs("1", {"a": {"x": 1}, "b": {"x": 2}, "d": {"x": 1}})
    store(tmp_path, before, "before")
    assert changes(tmp_path, after) == [("input", "taxonomy", "changed", None)]
    request = before.request(before.steps[-1], "before", tmp_path.as_uri(), "file:///published", None)
    path = tmp_path / "runs" / "before" / "train.request.json"
    path.parent.mkdir(parents=True)
    path.write_text(request.model_dump_json())
    assert changes(tmp_path, after) == [
        ("document", "taxonomy/b", "changed", None),
        ("document", "taxonomy/d", "added", None),
        ("document", "taxonomy/c", "removed", None),
    ]
    assert decide(after, after.steps[-1], tmp_path.as_uri(), tmp_path / "runs").reason == (
        "changed since before: input 'taxonomy'"
    )
    for damaged in (
        "{",
        request.model_copy(update={"inputs": {}}).model_dump_json(),
        path.read_text().replace('"x":1', '"x":9'),
    ):
        path.write_text(damaged)
        assert changes(tmp_path, after) == [("input", "taxonomy", "changed", None)]


def test_newest_of_equals_counts(tmp_path: Path) -> None:
    finished(tmp_path, changed(rate=1), "old", at=1)
    finished(tmp_path, changed(rate=2), "new", at=3)
    finished(tmp_path, changed(rate=3), "middle", at=2)
    assert reason(tmp_path, MATERIAL) == "changed since new: rate 2 -> 0.0001"
    assert reason(tmp_path, changed(rate=3)) == "unchanged since middle"


def test_place_is_that_of_the_local_backend(tmp_path: Path) -> None:
    state = State(tmp_path)
    assert local_storage(tmp_path) == (state.storage_root, state.runs)


def test_half_written_output_never_counts(tmp_path: Path) -> None:
    finished(tmp_path, changed(rate=1), "half", suffix=".partial")
    finished(tmp_path, MATERIAL, "half", suffix=".partial")
    assert reason(tmp_path, MATERIAL) == "never finished before"
