"""The model card: what the model is, how it was made and what was measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hub_steps.evaluate.report import OVERALL

if TYPE_CHECKING:
    from hub_steps.evaluate.report import Change, Evaluation
    from hub_steps.gate.report import GatesReport
    from hub_steps.parameters import PublishParameters

LABELS = {"nll": "NLL", "f1": "F1"}
GROUPS = {"mmlu": "subject", "mt_bench": "category"}
"""What a suite's groups are; those of the others are leaves."""
ABOUT = {
    "held_out": "On held-out questions that people wrote. NLL: negative log-likelihood of the reference answer, nats a "
    "token, lower is better. F1: token F1 of the greedy answer, higher is better.",
    "mmlu_branch": "Multiple choice made of held-out questions that people wrote; accuracy of the likeliest answer, 0 to 1.",
    "mt_bench_branch": "Answers to held-out questions that people wrote, scored from 1 to 10 by a judge with the reference "
    "answer.",
    "mt_bench": "MT-Bench: answers scored from 1 to 10 by a judge.",
    "mmlu": "Massive Multitask Language Understanding; accuracy, 0 to 1.",
    "lm_eval": "Tasks of EleutherAI's evaluation harness.",
}


def model_card(
    parameters: PublishParameters,
    provenance: dict[str, Any],
    evaluations: list[Evaluation],
    gates: GatesReport | None = None,
    *,
    has_curve: bool = True,
) -> str:
    """Return the card as Markdown with the metadata block of a model repository; `has_curve` shows the loss curve.

    Format: https://huggingface.co/docs/hub/model-cards.
    """
    title = parameters.title or provenance["pipeline"]
    lines = [*_metadata(parameters), "", f"# {title}" + (f" {parameters.version}" if parameters.version else ""), ""]
    lines += [provenance["description"] or f"Made by the hubc pipeline `{provenance['pipeline']}`.", ""]
    if parameters.intended_use:
        lines += ["## Intended use", "", parameters.intended_use, ""]
    for evaluation in evaluations:
        name = "" if len(evaluations) == 1 and evaluation.name == evaluation.suite else f": {evaluation.name}"
        lines += [f"## Evaluation{name}", "", ABOUT[evaluation.suite], "", *evaluation_table(evaluation), ""]
    if gates:
        lines += ["## Gates", "", "Passed before publishing:", "", *(f"- {_cell(gate.told)}" for gate in gates.gates), ""]
    if has_curve:
        lines += ["## Training", "", "![loss curve](loss_curve.png)", ""]
    if recipe := provenance.get("recipe"):
        lines += ["## Training data", "", *_recipe_table(recipe), ""]
    return "\n".join([*lines, "## Provenance", "", *provenance_table(provenance), ""])


def evaluation_table(evaluation: Evaluation) -> list[str]:
    """Return the lines of a Markdown table, one row for each group and one overall, and what changed."""
    if evaluation.suite == "lm_eval":
        return _task_table(evaluation)
    metrics = evaluation.metrics
    names = [LABELS.get(metric, metric) for metric in metrics]
    comparison, group_name = evaluation.comparison, GROUPS.get(evaluation.suite, "leaf")
    if comparison is None:
        lines = [_row(group_name, "questions", *names), _row("---", *["---:"] * (len(names) + 1))]
        return lines + [_row(_cell(group), str(row.num_questions), *(_number(row.values.get(metric)) for metric in metrics))
                        for group, row in evaluation.figures.items()]  # fmt: skip
    heads = [cell for name in names for cell in (f"{name} base", f"{name} tuned", "")]
    lines = [_row(group_name, "questions", *heads), _row("---", "---:", *["---:", "---:", "---"] * len(names))]
    for group, compared in comparison.groups.items():
        cells = [cell for metric in metrics for cell in _change(compared.changes.get(metric))]
        lines.append(_row(_cell(group), str(compared.num_questions), *cells))
    return [*lines, *_counts(evaluation)]


def provenance_table(provenance: dict[str, Any]) -> list[str]:
    """Return the lines of a Markdown table with everything that the model was made from."""
    rows = {
        "pipeline": f"`{provenance['pipeline']}`",
        "spec": f"`sha256:{provenance['spec_digest']}`",
        "base model": f"`{provenance['base_model']}`",
        "taxonomy": f"`{provenance['taxonomy']}`" if provenance["taxonomy"] else None,
        "training data": f"`sha256:{provenance['training_data']}`" if provenance["training_data"] else None,
        "versions": ", ".join(f"{name} {version}" for name, version in provenance["packages"].items()),
    }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items() if value)]


def _metadata(parameters: PublishParameters) -> list[str]:
    fields = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": ["hubc"]}
    if parameters.license:
        fields["license"] = parameters.license.lower()
    # JSON is YAML, and its strings cannot be taken for anything else.
    return ["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"]


def _task_table(evaluation: Evaluation) -> list[str]:
    """Return one row for each metric of each task: tasks do not have the same metrics."""
    changes = evaluation.comparison.groups[OVERALL].changes if evaluation.comparison else {}
    rows = []
    for metric, figure in evaluation.overall.values.items():
        base, tuned, word = _change(changes[metric]) if metric in changes else ("", _number(figure), "")
        error = evaluation.overall.stderr.get(metric)
        rows.append(_row(_cell(metric), base, tuned, "" if error is None else f"± {error:.3f}", word))
    return [_row("metric", "base", "tuned", "", ""), _row("---", "---:", "---:", "---", "---"), *rows]


def _counts(evaluation: Evaluation) -> list[str]:
    comparison = evaluation.comparison
    overall = comparison.groups.get(OVERALL) if comparison else None
    lines = []
    if overall and overall.num_improved is not None and overall.num_regressed is not None:
        same = overall.num_questions - overall.num_improved - overall.num_regressed
        what = "Reference answers that became likelier" if evaluation.metrics[0] == "nll" else "Questions that improved"
        worse = "less likely" if evaluation.metrics[0] == "nll" else "that got worse"
        lines += ["", f"{what}: {overall.num_improved} of {overall.num_questions}; {worse}: {overall.num_regressed}; "
                      f"no change: {same}."]  # fmt: skip
    if comparison and comparison.new:
        lines += ["", f"New: {', '.join(comparison.new)}"]
    if evaluation.overall.num_unscored:
        lines += ["", f"Answers without a readable verdict of the judge: {evaluation.overall.num_unscored}."]
    return lines


def _recipe_table(recipe: dict[str, Any]) -> list[str]:
    rows = [
        _row(_cell(name), _cell(str(source.get("location") or "")), f"{source['rows_used']} of {source['rows']}",
             f"`{source['sha256'][:16]}`")
        for name, source in recipe["sources"].items()
    ]  # fmt: skip
    return [_row("data set", "from", "rows", "sha256"), _row("---", "---", "---:", "---"), *rows]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _change(change: Change | None) -> tuple[str, str, str]:
    return (_number(change.base), _number(change.tuned), change.verdict) if change else ("", "", "")


def _number(figure: float | None) -> str:
    return "n/a" if figure is None else f"{figure:.3f}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
