"""The evaluation file: figures of each group and overall, the answers behind them, and the comparison with a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from hub_steps.contract import Record, StepError, faults
from hub_steps.digest import digest
from hub_steps.evaluate.metrics import Figure, Verdict

if TYPE_CHECKING:
    from pathlib import Path

EVALUATION_FILE = "evaluation.json"
OVERALL = "overall"


class Answer(Record):
    """One question and what the model made of it."""

    group: str
    """Leaf or category."""
    question: str
    reference: str | None = None
    answer: str
    scores: dict[str, Figure]
    """Metric -> value; nothing where a judge's verdict could not be read."""
    num_tokens: int | None = None
    """Tokens of the reference answer: what its negative log-likelihood weighs in a mean."""
    choices: tuple[str, ...] = ()
    """What could be chosen from."""
    turn: int | None = None
    """Which turn of the conversation this is, from 1."""
    judgement: str | None = None
    """What the judge said."""


class Figures(Record):
    """What was measured on a set of questions."""

    num_questions: int
    values: dict[str, Figure]
    """Metric -> value."""
    stderr: dict[str, Figure] = Field(default={})
    """Metric -> standard error, where the suite has one."""
    num_unscored: int = 0
    """Answers without a readable verdict of the judge; they are in no value."""
    questions: str
    """Digest of what was asked: figures with the same digest can be compared."""


class Change(Record):
    """One figure of the base and of the tuned model."""

    base: Figure = None
    tuned: Figure = None
    verdict: Verdict


class GroupComparison(Record):
    """The two models on one group, or overall."""

    num_questions: int
    changes: dict[str, Change]
    """Metric -> change."""
    num_improved: int | None = None
    """Questions whose first metric improved; None where no single answers are known."""
    num_regressed: int | None = None


class Comparison(Record):
    """The model beside its baseline; a group is in one of the lists by what became of the suite's first metric."""

    groups: dict[str, GroupComparison]
    """For each group that both have, and `overall` if they have any."""
    improvements: tuple[str, ...]
    regressions: tuple[str, ...]
    no_changes: tuple[str, ...]
    new: tuple[str, ...]
    """Groups that the baseline does not have."""


class Measured(Record):
    """What one suite found of one model."""

    metrics: tuple[str, ...]
    """The metrics overall; the first is the one that groups are judged by."""
    lower_is_better: tuple[str, ...] = ()
    """Those of them of which less is better."""
    figures: dict[str, Figures]
    """For each group (leaf, task, subject, category or checkpoint), and `overall`."""
    answers: tuple[Answer, ...] = ()


class Evaluation(Measured):
    """All that an evaluate step found."""

    version: Literal["hubc.evaluation/v1"] = "hubc.evaluation/v1"
    suite: str
    """Kind of suite."""
    name: str
    """What gates and reports call it."""
    model: str
    """Key of the model's input."""
    best: str | None = None
    """The checkpoint that is best by the first metric, when checkpoints were measured."""
    comparison: Comparison | None = None
    """None when there is no baseline."""

    @property
    def overall(self) -> Figures:
        """The figures of all groups together."""
        return self.figures[OVERALL]


def read_evaluation(path: Path) -> Evaluation:
    """Return an evaluation from its file.

    Raises StepError if there is none that can be read.
    """
    try:
        return parse_evaluation(path.read_bytes(), str(path))
    except OSError as error:
        raise StepError(f"cannot read {path}: {error}") from None


def parse_evaluation(text: str | bytes, name: str) -> Evaluation:
    """Return an evaluation from the text of the file with that name.

    Raises StepError if it is none.
    """
    try:
        found = Evaluation.model_validate_json(text)
        if OVERALL not in found.figures:
            raise ValueError(f"it has no figures '{OVERALL}'")
        return found
    except ValueError as error:
        reason = faults(error) if isinstance(error, ValidationError) else error
        raise StepError(f"cannot read {name}: {reason}") from None


def summarize(answers: tuple[Answer, ...], metrics: tuple[str, ...]) -> dict[str, Figures]:
    """Return the figures of each group and overall: means over the answers, each weighed by its `num_tokens` for `nll`."""
    return {name: _figures(group, metrics) for name, group in grouped(answers).items()}


def grouped(answers: tuple[Answer, ...]) -> dict[str, list[Answer]]:
    """Return the answers of each group, and all of them as `overall`."""
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.group, []).append(answer)
    return {**groups, OVERALL: list(answers)}


def _figures(answers: list[Answer], metrics: tuple[str, ...]) -> Figures:
    return Figures(
        num_questions=len(answers),
        values={metric: _mean([answer for answer in answers if metric in answer.scores], metric) for metric in metrics},
        num_unscored=sum(not answer.scores for answer in answers),
        questions=digest([[answer.group, answer.question, answer.reference, answer.turn] for answer in answers]),
    )


def _mean(answers: list[Answer], metric: str) -> float | None:
    total, weight = 0.0, 0
    for answer in answers:
        value, share = answer.scores[metric], (answer.num_tokens or 1) if metric == "nll" else 1
        if value is None:
            return None
        total, weight = total + value * share, weight + share
    return total / weight if weight else None
