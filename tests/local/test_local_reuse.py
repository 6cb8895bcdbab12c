"""Why a step runs: what differs from the newest finished output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub_steps.contract import Result
from hubc.plan import Plan, Resources, Step
from hubc.reuse import decide

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
    plan = plan_with(material)
    folder = Path(plan.output(root.as_uri(), plan.steps[0]).removeprefix("file://") + suffix)
    folder.mkdir(parents=True)
    result = Result(kind="train", step="train", key=plan.steps[0].key, material=material, run=run, started_at=0,
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
        (changed(names=["a", "b"]), "names ['a'] -> ['a', 'b']"),
        (changed(code_version=2), "code_version 1 -> 2"),
        (changed(inputs={"data": "y", "model": "m"}), "input 'data'"),
        (changed(inputs={"data": "x"}), "input 'model'"),
        (changed(new=1), "new None -> 1"),
        (changed(teacher={"serve": {"model": "a"}}), "teacher.serve.model None -> a"),
        (changed(teacher={"serve": {"model": "a"}}, rate=1, epochs=1, names=[]),
         "epochs 3 -> 1; names ['a'] -> []; rate 0.0001 -> 1; and 1 more"),
    ],
)  # fmt: skip
def test_what_changed(tmp_path: Path, material: dict[str, Any], why: str) -> None:
    finished(tmp_path, MATERIAL, "before")
    assert reason(tmp_path, material) == f"changed since before: {why}"


def test_newest_counts(tmp_path: Path) -> None:
    finished(tmp_path, changed(rate=1), "old", at=1)
    finished(tmp_path, changed(rate=2), "new", at=3)
    finished(tmp_path, changed(rate=3), "middle", at=2)
    assert reason(tmp_path, MATERIAL) == "changed since new: rate 2 -> 0.0001"
    assert reason(tmp_path, changed(rate=3)) == "unchanged since middle"


def test_half_written_output_never_counts(tmp_path: Path) -> None:
    finished(tmp_path, changed(rate=1), "half", suffix=".partial")
    finished(tmp_path, MATERIAL, "half", suffix=".partial")
    assert reason(tmp_path, MATERIAL) == "never finished before"
