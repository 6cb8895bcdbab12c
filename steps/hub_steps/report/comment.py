"""A run as its pull request shows it: one comment of bounded length, in which no text of a step means anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.evaluate.report import OVERALL
from hub_steps.markdown import block, code
from hub_steps.printable import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_steps.evaluate.metrics import Figure
    from hub_steps.evaluate.report import Comparison
    from hub_steps.report.facts import RunFound, StepFound
    from hub_steps.reporting import ReportRequest

MAX_CHARACTERS = 65_536
"""What a comment on GitHub holds; the bounds below keep within it."""
_TABLE_CHARACTERS = 24_000
_LOG_CHARACTERS = 6_000
_MAX_FAILURES = 3
_MAX_EVALUATIONS = 4
_MAX_METRICS = 12
_MAX_GROUPS = 8
_SUMMARY_CHARACTERS = 300
_NAME_CHARACTERS = 80


def marker(pipeline: str) -> str:
    """Return the hidden first line by which the comment of a pipeline is found again."""
    return f"<!-- hubc-run: {pipeline} -->"


def comment(request: ReportRequest, found: RunFound) -> str:
    """Return the comment as GitHub Markdown."""
    facts = found.facts
    details = request.github.details if request.github else None
    made_from = f"{code(_cut(request.spec))} on {code(facts.platform)}, plan {code(facts.plan_digest[:12])}"
    parts = [
        marker(request.pipeline),
        f"### Run {code(facts.run)} of {code(facts.pipeline)}: {facts.state}",
        f"{made_from} · [details]({details})" if details else made_from,
    ]
    failed = [step for step in found.steps if step.facts.state == "failed"]
    for step in failed[:_MAX_FAILURES]:
        parts += _failure(step)
    if not failed and facts.detail:
        parts.append(code(facts.detail))
    parts.append(_table(found.steps))
    compared = [(step.facts.id, step.evaluation.comparison) for step in found.steps
                if step.evaluation and step.evaluation.comparison]  # fmt: skip
    for name, comparison in compared[:_MAX_EVALUATIONS]:
        parts += _evaluation(name, comparison)
    return "\n\n".join(parts) + "\n"


def _failure(step: StepFound) -> list[str]:
    told = [f"Step {code(step.facts.id)} failed:", block([step.error], _LOG_CHARACTERS)]
    if step.log:
        log = block(step.log, _LOG_CHARACTERS)
        told.append(f"<details>\n<summary>The last lines of its log</summary>\n\n{log}\n\n</details>")
    return told


def _table(steps: Sequence[StepFound]) -> str:
    """Return one row for each step, as many as there is room for."""
    lines = ["| step | state | time | summary |", "|---|---|---|---|"]
    length = 0
    for number, step in enumerate(steps):
        row = _row(step)
        length += len(row) + 1
        if length > _TABLE_CHARACTERS:
            left = len(steps) - number
            return "\n".join([*lines, "", f"{left} more step{'s' if left > 1 else ''} left out."])
        lines.append(row)
    return "\n".join(lines)


def _row(step: StepFound) -> str:
    facts = step.facts
    time = seconds(step.seconds) if step.seconds is not None else ""
    said = _cut(facts.summary or step.error, _SUMMARY_CHARACTERS)
    return f"| {code(facts.id)} | {facts.state} | {time} | {code(said) if said else ''} |"


def _evaluation(name: str, comparison: Comparison) -> list[str]:
    """Return what became of the model by one evaluation: its figures overall, and the groups that changed."""
    told = [f"Evaluation {code(name)}:"]
    if overall := comparison.groups.get(OVERALL):
        rows = [f"| {code(_cut(metric))} | {_number(change.base)} | {_number(change.tuned)} | {change.verdict} |"
                for metric, change in list(overall.changes.items())[:_MAX_METRICS]]  # fmt: skip
        told.append("\n".join(["| metric | base | tuned | |", "|---|---|---|---|", *rows]))
    for title, groups in (("Improvements", comparison.improvements), ("Regressions", comparison.regressions)):
        if groups:
            more = f" and {len(groups) - _MAX_GROUPS} more" if len(groups) > _MAX_GROUPS else ""
            told.append(f"{title}: {', '.join(code(_cut(group)) for group in groups[:_MAX_GROUPS])}{more}")
    return told


def _number(figure: Figure) -> str:
    return "n/a" if figure is None else f"{figure:.3f}"


def _cut(text: str, most: int = _NAME_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
