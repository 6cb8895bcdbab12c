"""The report of a run: what each step did, the evaluation table, and where the model is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hub_steps.contract import Result, StepError
from hub_steps.files import entry_damage, local_path, read_result
from hubc.display import duration, remark, seconds
from hubc.repository import display_name
from hubc.runs import DONE, Run

BARS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 40


def report(run: Run, storage_root: str) -> dict[str, Any]:
    """Return all facts of a run as plain data; what no step has made yet, or what is damaged by now, is missing."""
    folders = {step.id: local_path(f"{storage_root}/{run.pipeline}/{step.id}/{step.key}") for step in run.steps}
    done = {step.id: _result(folders[step.id]) for step in run.steps if step.state in DONE}
    results = {name: result for name, result in done.items() if result}
    data: dict[str, Any] = {
        "run": run.model_dump(mode="json"),
        "results": {name: result.model_dump(mode="json", exclude={"files"}) for name, result in results.items()},
    }
    if "train" in results:
        history = (folders["train"] / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        data["loss"] = [json.loads(line)["loss"] for line in history]
        data["loss_curve"] = str(folders["train"] / "loss_curve.png")
    measured = next((name for name in ("evaluate-tuned", "evaluate-base") if name in results), None)
    if measured:
        evaluation = json.loads((folders[measured] / "evaluation.json").read_text(encoding="utf-8"))
        data["evaluation"] = {"figures": evaluation["figures"], "comparison": evaluation["comparison"]}
    return data


def report_text(data: dict[str, Any]) -> str:
    """Return a report for people."""
    run = Run.model_validate(data["run"])
    lines = [f"Run {run.id}: {run.state}" + (f" ({run.reason})" if run.reason else ""), ""]
    lines += [f"  {step.id:<15} {step.state:<10} {duration(step):>12}  {remark(step)}" for step in run.steps]
    if loss := data.get("loss"):
        lines += [
            "",
            f"Training loss   {_curve(loss)}  {loss[0]:.3f} -> {loss[-1]:.3f}",
            f"                {display_name(Path(data['loss_curve']))}",
        ]
    if evaluation := data.get("evaluation"):
        lines += ["", *_evaluation(evaluation)]
    lines += ["", *_provenance(run, data["results"])]
    if publish := data["results"].get("publish"):
        lines += ["", f"Published: {display_name(local_path(publish['metrics']['location']))}"]
    if run.finished_at:
        lines += ["", f"Took {seconds(run.finished_at - run.created_at)}."]
    return "\n".join(lines)


def _provenance(run: Run, results: dict[str, Any]) -> list[str]:
    """Return what the run was made from."""
    facts = {"spec": run.spec, "plan": f"sha256:{run.plan_digest}"}
    for step, name, fact in (("train", "model", "base model"), ("generate", "taxonomy", "taxonomy")):
        if step in results:
            facts[fact] = results[step]["material"]["inputs"][name]
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
    inside = (entry for entry in result.files if not Path(entry.path).is_absolute())
    return None if any(entry_damage(entry, folder) for entry in inside) else result


def _curve(values: list[float]) -> str:
    """Return values as a line of bars, at most CURVE_WIDTH of them."""
    size = max(1, -(-len(values) // CURVE_WIDTH))
    means = [sum(chunk) / len(chunk) for start in range(0, len(values), size) if (chunk := values[start : start + size])]
    low, span = min(means), (max(means) - min(means)) or 1.0
    return "".join(BARS[int((value - low) / span * (len(BARS) - 1))] for value in means)


def _evaluation(evaluation: dict[str, Any]) -> list[str]:
    comparison = evaluation["comparison"]
    if not comparison:
        return ["Base model on the held-out questions:", *(
            f"  {name:<40} {row['num_questions']:>4} questions   NLL {row['nll']:.3f}   F1 {row['f1']:.3f}"
            for name, row in evaluation["figures"].items())]  # fmt: skip
    width = max(len("held-out questions"), *(len(name) for name in comparison))
    lines = [f"{'held-out questions':<{width}}     n   NLL base -> tuned              F1 base -> tuned"]
    for name, row in comparison.items():
        lines.append(f"{name:<{width}}  {row['num_questions']:>4}   {_change(row['nll']):<29}  {_change(row['f1'])}")
    overall = comparison["overall"]
    lines += ["", f"{overall['num_improved']} of {overall['num_questions']} reference answers became likelier, "
                  f"{overall['num_regressed']} less likely."]  # fmt: skip
    for word in ("improved", "regressed", "no change"):
        leaves = [name for name, row in comparison.items() if name != "overall" and row["nll"]["verdict"] == word]
        if leaves:
            lines.append(
                f"{ {'improved': 'Improvements', 'regressed': 'Regressions'}.get(word, 'No changes') }: {', '.join(leaves)}"
            )
    lines.append(_conclusion(overall["nll"], overall["f1"]))
    return lines


def _change(figure: dict[str, Any]) -> str:
    return f"{figure['base']:.3f} -> {figure['tuned']:.3f} {figure['verdict']}"


def _conclusion(nll: dict[str, Any], f1: dict[str, Any]) -> str:
    verdicts = {nll["verdict"], f1["verdict"]}
    if verdicts <= {"improved", "no change"} and "improved" in verdicts:
        return "The tuned model is better than its base on the held-out questions."
    if verdicts == {"no change"}:
        return "The tuned model is neither better nor worse than its base on the held-out questions."
    if "improved" in verdicts:
        return "The tuned model is better by one figure and worse by the other."
    return "The tuned model is worse than its base on the held-out questions."
