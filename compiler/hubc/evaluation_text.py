"""Evaluations as tables for a terminal."""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]
OVERALL = "overall"
LABELS = {"nll": "NLL", "f1": "F1"}
TITLES = {"held_out": "held-out questions"}
CHANGE_WIDTH = 29


def evaluation_lines(step: str, evaluation: Data) -> list[str]:
    """Return the table of one evaluation file, and what became of the model if it was compared with another."""
    title: str = TITLES.get(evaluation["name"]) or evaluation["name"]
    if step not in ("evaluate-tuned", "evaluate-base"):
        title = f"{title} ({step})"
    comparison = evaluation.get("comparison")
    if comparison is None:
        return _figures(title, evaluation)
    if evaluation["suite"] == "lm_eval":
        return _tasks(title, comparison)
    return [*_table(title, evaluation["metrics"], comparison), *_verdicts(evaluation, comparison)]


def _figures(title: str, evaluation: Data) -> list[str]:
    lines = [f"{title}:"]
    for group, row in evaluation["figures"].items():
        if evaluation["suite"] == "lm_eval" and group == OVERALL:
            continue
        told = "   ".join(f"{LABELS.get(metric, metric)} {_number(figure)}" for metric, figure in row["values"].items())
        lines.append(f"  {group:<40} {row['num_questions']:>4} questions   {told}")
    return lines


def _table(title: str, metrics: list[str], comparison: Data) -> list[str]:
    width = max([len(title), *(len(name) for name in comparison["groups"])])
    heads = [f"{LABELS.get(metric, metric)} base -> tuned" for metric in metrics]
    lines = [f"{title:<{width}}  {'n':>4}   {'  '.join(f'{head:<{CHANGE_WIDTH}}' for head in heads).rstrip()}"]
    for name, row in comparison["groups"].items():
        cells = [f"{_change(row['changes'].get(metric)):<{CHANGE_WIDTH}}" for metric in metrics]
        lines.append(f"{name:<{width}}  {row['num_questions']:>4}   {'  '.join(cells).rstrip()}")
    return lines


def _tasks(title: str, comparison: Data) -> list[str]:
    """Return one row for each metric of each task: tasks do not have the same metrics."""
    rows = comparison["groups"].get(OVERALL, {"changes": {}})["changes"]
    width = max([len(title), *(len(name) for name in rows)])
    return [f"{title:<{width}}  base -> tuned", *(f"{name:<{width}}  {_change(change)}" for name, change in rows.items())]


def _verdicts(evaluation: Data, comparison: Data) -> list[str]:
    overall = comparison["groups"].get(OVERALL)
    lines: list[str] = []
    if overall and "num_improved" in overall:
        is_likelihood = evaluation["metrics"][0] == "nll"
        better = "reference answers became likelier" if is_likelihood else "answers improved"
        worse = "less likely" if is_likelihood else "got worse"
        lines += [
            "",
            f"{overall['num_improved']} of {overall['num_questions']} {better}, {overall['num_regressed']} {worse}.",
        ]
    if unscored := evaluation["figures"][OVERALL]["num_unscored"]:
        lines.append(f"The judge gave no readable verdict for {unscored} answers.")
    for name in ("improvements", "regressions", "no_changes", "new"):
        if groups := comparison[name]:
            lines.append(f"{name.replace('_', ' ').capitalize()}: {', '.join(groups)}")
    if best := evaluation.get("best"):
        lines.append(f"The best checkpoint: {best}")
    elif overall:
        lines.append(_conclusion(evaluation["name"], {change["verdict"] for change in overall["changes"].values()}))
    return lines


def _conclusion(name: str, verdicts: set[str]) -> str:
    where = "on the held-out questions" if name == "held_out" else f"by {name}"
    if verdicts <= {"improved", "no change"} and "improved" in verdicts:
        return f"The tuned model is better than its base {where}."
    if verdicts == {"no change"}:
        return f"The tuned model is neither better nor worse than its base {where}."
    if "improved" in verdicts:
        return "The tuned model is better by one figure and worse by the other."
    return f"The tuned model is worse than its base {where}."


def _change(change: Data | None) -> str:
    return f"{_number(change.get('base'))} -> {_number(change.get('tuned'))} {change['verdict']}" if change else ""


def _number(figure: float | None) -> str:
    return "n/a" if figure is None else f"{figure:.3f}"
