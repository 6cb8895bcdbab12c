"""The report of a run: what each step did, the evaluation tables, the gates, and where the model is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hub_steps.contract import Result, StepError
from hub_steps.files import entry_damage, local_path, read_result
from hub_steps.printable import printable, seconds
from hubc.display import duration, remark
from hubc.evaluation_text import evaluation_lines
from hubc.repository import display_name
from hubc.runs import DONE, Run

BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 40
EVALUATION_VERSION = "hubc.evaluation/v1"


def report(run: Run, storage_root: str) -> dict[str, Any]:
    """Return all facts of a run as plain data; what no step has made yet, or what is damaged by now, is missing.

    `trainings`, `evaluations` and `gates` are by the step that made them.
    """
    folders = {step.id: local_path(f"{storage_root}/{run.pipeline}/{step.id}/{step.key}") for step in run.steps}
    done = {step.id: _result(folders[step.id]) for step in run.steps if step.state in DONE}
    results = {name: result for name, result in done.items() if result}
    of_kind = {
        kind: [name for name, result in results.items() if result.kind == kind] for kind in ("train", "evaluate", "gate")
    }
    return {
        "run": run.model_dump(mode="json"),
        "results": {name: result.model_dump(mode="json", exclude={"files"}) for name, result in results.items()},
        "trainings": {name: _training(folders[name]) for name in of_kind["train"]},
        "evaluations": {name: found for name in of_kind["evaluate"] if (found := _evaluation(folders[name]))},
        "gates": {name: json.loads(_text(folders[name] / "gates.json"))["gates"] for name in of_kind["gate"]},
    }


def report_text(data: dict[str, Any]) -> str:
    """Return a report for people."""
    run = Run.model_validate(data["run"])
    width = max([15, *(len(step.id) for step in run.steps)])
    lines = [f"Run {run.id}: {run.state}" + (f" ({run.reason})" if run.reason else ""), ""]
    lines += [f"  {step.id:<{width}} {step.state:<10} {duration(step):>12}  {remark(step)}" for step in run.steps]
    lines += _trainings(data["trainings"])
    for name, evaluation in _shown(data["evaluations"]).items():
        lines += ["", *evaluation_lines(name, evaluation)]
    for gates in data["gates"].values():
        lines += ["", "Gates", *(f"  {'passed' if gate['passed'] else 'failed'}  {gate['told']}" for gate in gates)]
    lines += ["", *_provenance(run, data["results"])]
    published = {name: result for name, result in data["results"].items() if result["kind"] == "publish"}
    for name, result in published.items():
        lines += ["", f"Published: {_place(result['metrics'])}" + (f" ({name})" if len(published) > 1 else "")]
    if run.finished_at:
        lines += ["", f"Took {seconds(run.finished_at - run.created_at)}."]
    # Names of groups and what steps say of themselves may hold anything.
    return "\n".join(printable(line) for line in lines)


def _training(folder: Path) -> dict[str, Any]:
    """Return the losses and the curve of a training; a script of one's own may have written neither."""
    history = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in _text(history).splitlines()] if history.is_file() else []
    curve = folder / "loss_curve.png"
    loss = [row["loss"] for row in rows if isinstance(row.get("loss"), int | float)]
    return {"loss": loss, "loss_curve": str(curve) if curve.is_file() else None}


def _evaluation(folder: Path) -> dict[str, Any] | None:
    """Return an evaluation without its single answers, which may be thousands; None for one of an older hubc."""
    found: dict[str, Any] = json.loads(_text(folder / "evaluation.json"))
    if found.get("version") != EVALUATION_VERSION:
        return None
    return {name: value for name, value in found.items() if name != "answers"}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _shown(evaluations: dict[str, Any]) -> dict[str, Any]:
    """Return the evaluations that say most: those with a comparison, and others only of suites that have none."""
    compared = {evaluation["name"] for evaluation in evaluations.values() if "comparison" in evaluation}
    return {name: found for name, found in evaluations.items() if "comparison" in found or found["name"] not in compared}


def _trainings(trainings: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, training in trainings.items():
        if loss := training["loss"]:
            title = "Training loss" if len(trainings) == 1 else name
            lines += ["", f"{title:<15} {_curve(loss)}  {loss[0]:.3f} -> {loss[-1]:.3f}"]
            if training["loss_curve"]:
                lines.append(f"{'':<15} {display_name(Path(training['loss_curve']))}")
    return lines


def _place(metrics: dict[str, Any]) -> str:
    location = str(metrics["location"])
    return display_name(local_path(location)) if location.startswith("file://") else location


def _provenance(run: Run, results: dict[str, Any]) -> list[str]:
    """Return what the run was made from."""
    facts = {"spec": run.spec, "plan": f"sha256:{run.plan_digest}"}
    for kind, name, fact in (("train", "model", "base model"), ("generate", "taxonomy", "taxonomy")):
        # The first of several trainings starts from the base model, the others from what was trained before.
        keys = [result["material"]["inputs"].get(name) for result in results.values() if result["kind"] == kind]
        if keys and keys[0]:
            facts[fact] = keys[0]
    packages = {name: version for result in results.values() for name, version in result["packages"].items()}
    if packages:
        facts["versions"] = ", ".join(f"{name} {version}" for name, version in packages.items())
    return ["Made from", *(f"  {name:<10} {value}" for name, value in facts.items())]


def _result(folder: Path) -> Result | None:
    """Return what is known of a step's output while it is whole; what the step published may be replaced since."""
    try:
        result = read_result(folder)
    except StepError:
        return None
    inside = (entry for entry in result.files if not entry.is_published)
    return None if any(entry_damage(entry, folder) for entry in inside) else result


def _curve(values: list[float]) -> str:
    """Return values as a line of bars, at most CURVE_WIDTH of them."""
    size = max(1, -(-len(values) // CURVE_WIDTH))
    means = [sum(chunk) / len(chunk) for start in range(0, len(values), size) if (chunk := values[start : start + size])]
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join(BARS[int((value - low) / span * (len(BARS) - 1))] for value in means)
