"""The change log of a published folder: one entry for each release, the newest on top."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub_steps.evaluate.report import OVERALL

if TYPE_CHECKING:
    from hub_steps.evaluate.report import Evaluation

CHANGE_LOG = "CHANGELOG.md"
LABELS = {"nll": "NLL", "f1": "token F1"}
MAX_METRICS = 6
_HEADING = "# Change log\n\n"


def change_log(published: str, provenance: dict[str, Any], evaluations: list[Evaluation]) -> str:
    """Return the published change log with an entry for this release on top, unless it stands there already."""
    older = published.removeprefix(_HEADING)
    mark = f"<!-- release {provenance['release']} -->"
    if mark in older.partition("\n## ")[0]:
        return _HEADING + older
    day = datetime.now(UTC).date().isoformat()
    version = f"{provenance['version']} · " if provenance["version"] else ""
    lines = [
        f"## {day} · {version}{provenance['release']}",
        mark,
        "",
        f"Made by run `{provenance['run']}` of `{provenance['pipeline']}`.",
        *filter(None, (_changes(evaluation, len(evaluations)) for evaluation in evaluations)),
    ]
    return _HEADING + "\n".join(lines) + "\n\n" + older


def _changes(evaluation: Evaluation, num_suites: int) -> str:
    overall = evaluation.comparison.groups.get(OVERALL) if evaluation.comparison else None
    if overall is None:
        return ""
    told = [
        f"{LABELS.get(metric, metric)} {_number(change.base)} -> {_number(change.tuned)} ({change.verdict})"
        for metric, change in list(overall.changes.items())[:MAX_METRICS]
    ]
    return (f"{evaluation.name}: " if num_suites > 1 else "") + ", ".join(told) + "."


def _number(figure: float | None) -> str:
    return "n/a" if figure is None else f"{figure:.3f}"
