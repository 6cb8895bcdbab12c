"""What `hubc report` makes of steps' outputs: several trainings, suites, checkpoints, gates, or few of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.contract import Result
from hub_steps.evaluate.report import Change, Comparison, Evaluation, Figures, GroupComparison
from hub_steps.gate.report import GateResult, GatesReport
from hub_steps.parameters import Gate
from hubc.report import report, report_text
from hubc.runs import Run, StepRun

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"


def evaluation(name: str, suite: str, groups: dict[str, dict[str, float]], base: float | None = None, **more: Any) -> str:
    """An evaluation file; with `base`, every metric of the baseline has that value."""
    figures = {
        group: Figures(num_questions=5, values=values, num_unscored=1, questions="q") for group, values in groups.items()
    }
    metrics = tuple(groups["overall"])
    comparison = None
    if base is not None:
        compared = {
            group: GroupComparison(
                num_questions=5,
                changes={metric: Change(base=base, tuned=value, verdict="improved" if value else "regressed")
                         for metric, value in values.items()},
                num_improved=3 if group == "overall" and suite != "lm_eval" else None,
                num_regressed=1 if group == "overall" and suite != "lm_eval" else None,
            )
            for group, values in groups.items()
        }  # fmt: skip
        names = tuple(group for group in groups if group != "overall")
        comparison = Comparison(groups=compared, improvements=names[:1], regressions=(), no_changes=names[1:], new=("mars",))
    found = Evaluation(suite=suite, name=name, model="m", metrics=metrics, figures=figures, comparison=comparison, **more)
    return found.model_dump_json(exclude_none=True)


def write(root: Path, steps: dict[str, tuple[str, dict[str, str]]]) -> Run:
    """Write the outputs of done steps, given by id as kind and files, and return their run."""
    for name, (kind, files) in steps.items():
        folder = root / "small" / name / "k"
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text)
        inputs = {"model": "hf://org/base@1", "taxonomy": "7" * 8}
        metrics = {"location": "file:///models/small"} if kind == "publish" else {}
        result = Result(kind=kind, step=name, key="k", material={"inputs": inputs}, run="r", started_at=1, finished_at=2,
                        summary="", metrics=metrics, files=(), packages={"torch": "2"})  # type: ignore[arg-type] # fmt: skip
        (folder / "result.json").write_text(result.model_dump_json())
    return Run(
        id="small-1", pipeline="small", platform="local", spec="specs/small.yaml", plan_digest="9" * 8, state="succeeded",
        created_at=0, finished_at=60, pid=1,
        steps=tuple(StepRun(id=name, kind=kind, state="succeeded", key="k", summary=f"did {kind}", started_at=1,
                            finished_at=3)
                    for name, (kind, _) in steps.items()),
    )  # fmt: skip


def losses(*values: float) -> str:
    return "\n".join([*(json.dumps({"step": 1, "loss": value}) for value in values), json.dumps({"val_loss": 1.0})])


def test_report_of_a_pipeline_with_everything(tmp_path: Path, golden: Callable[[Path, str], None]) -> None:
    gates = GatesReport(
        gates=(GateResult(gate=Gate(metric="a.b", min=1), passed=True, value=2, told="a.b is 2; wanted: 1"),)
    )
    overall = {"nll": 1.0, "f1": 0.0}
    harness = {"arc.acc": 0.5, "wiki.perplexity": 9.0}
    run = write(tmp_path, {
        "generate": ("generate", {}),
        "train-knowledge": ("train", {"metrics.jsonl": losses(3, 2, 1), "loss_curve.png": ""}),
        "train-skills": ("train", {"metrics.jsonl": losses(2, 1.5)}),
        "evaluate-base": ("evaluate", {"evaluation.json": evaluation("held_out", "held_out", {"overall": overall})}),
        "evaluate-tuned": (
            "evaluate",
            {"evaluation.json": evaluation("held_out", "held_out", dict.fromkeys(("moon", "sea", "overall"), overall), 2.0)},
        ),
        "evaluate-tuned-harness": (
            "evaluate",
            {"evaluation.json": evaluation("harness", "lm_eval", {"arc": {"acc": 0.5}, "overall": harness}, 0.25)},
        ),
        "evaluate-checkpoints": (
            "evaluate",
            {"evaluation.json": evaluation("talk", "mt_bench", {"checkpoint-5": {"score": 7.0}, "overall": {"score": 7.0}},
                                           5.0, best="checkpoint-5")},
        ),
        "evaluate-base-quiz": (
            "evaluate",
            {"evaluation.json": evaluation("quiz\x1b[2J", "mmlu_branch", {"moon": {"accuracy": float("nan")},
                                                                         "overall": {"accuracy": 0.5}})},
        ),
        "gate": ("gate", {"gates.json": gates.model_dump_json()}),
        "publish": ("publish", {}),
    })  # fmt: skip
    data = report(run, tmp_path.as_uri())
    assert data["trainings"]["train-knowledge"]["loss"] == [3, 2, 1]
    assert data["trainings"]["train-skills"]["loss_curve"] is None
    assert "answers" not in data["evaluations"]["evaluate-base"]
    golden(GOLDEN / "report.txt", report_text(data).replace(str(tmp_path), "…") + "\n")


def test_report_of_an_evaluation_alone(tmp_path: Path) -> None:
    found = evaluation("held_out", "held_out", {"moon": {"nll": 2.0}, "overall": {"nll": 2.0}})
    run = write(tmp_path, {"evaluate-base": ("evaluate", {"evaluation.json": found})})
    text = report_text(report(run, tmp_path.as_uri()))
    assert "held-out questions:\n  moon " in text
    assert "Training loss" not in text


def test_report_of_outputs_of_an_older_version(tmp_path: Path) -> None:
    old = json.dumps({"model": "m", "answers": [], "figures": {"overall": {"nll": 1}}, "comparison": None})
    run = write(tmp_path, {"evaluate-base": ("evaluate", {"evaluation.json": old}), "train": ("train", {})})
    data = report(run, tmp_path.as_uri())
    assert data["evaluations"] == {}
    assert data["trainings"] == {"train": {"loss": [], "loss_curve": None}}
    assert report_text(data).startswith("Run small-1: succeeded\n")
