"""The evaluation file: every answer, the figures of each leaf and overall, and the comparison with a baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import Record
from hub_steps.evaluate.metrics import Verdict, verdict

if TYPE_CHECKING:
    from hub_steps.parameters import EvaluateParameters

OVERALL = "overall"


class Answer(Record):
    """One held-out question and what the model made of it."""

    leaf: str
    question: str
    reference: str
    answer: str
    nll: float
    """Negative log-likelihood of the reference answer, in nats, summed over its tokens."""
    num_tokens: int
    f1: float


class Figures(Record):
    """What was measured on a set of questions."""

    num_questions: int
    nll: float
    """Negative log-likelihood of the reference answers, in nats a token."""
    f1: float
    """Mean token F1 of the greedy answers, 0 to 1."""


class Change(Record):
    """One figure of the base and of the tuned model."""

    base: float
    tuned: float
    verdict: Verdict


class LeafComparison(Record):
    """The two models on one leaf, or overall."""

    num_questions: int
    nll: Change
    f1: Change
    num_improved: int
    """Questions whose reference answer became likelier by at least the smallest change."""
    num_regressed: int


class Evaluation(Record):
    """All that an evaluate step found."""

    model: str
    answers: tuple[Answer, ...]
    figures: dict[str, Figures]
    """For each leaf, and `overall`."""
    comparison: dict[str, LeafComparison] | None = None
    """For each leaf, and `overall`; None when there is no baseline."""


def figures(answers: tuple[Answer, ...]) -> dict[str, Figures]:
    """Return the figures of each leaf and overall."""
    return {name: _figures(group) for name, group in _groups(answers).items()}


def compare(base: Evaluation, tuned: tuple[Answer, ...], parameters: EvaluateParameters) -> dict[str, LeafComparison]:
    """Return the two models side by side, for each leaf and overall.

    Raises ValueError if they did not answer the same questions.
    """
    if _asked(base.answers) != _asked(tuned):
        raise ValueError("the baseline answered other questions")
    before, after = _groups(base.answers), _groups(tuned)
    return {name: _compare(before[name], after[name], parameters) for name in after}


def _compare(base: list[Answer], tuned: list[Answer], parameters: EvaluateParameters) -> LeafComparison:
    old, new = _figures(base), _figures(tuned)
    least = parameters.min_nll_change
    verdicts = [
        verdict(before.nll / before.num_tokens, after.nll / after.num_tokens, least, lower_is_better=True)
        for before, after in zip(base, tuned, strict=True)
    ]
    return LeafComparison(
        num_questions=len(tuned),
        nll=Change(base=old.nll, tuned=new.nll, verdict=verdict(old.nll, new.nll, least, lower_is_better=True)),
        f1=Change(
            base=old.f1, tuned=new.f1, verdict=verdict(old.f1, new.f1, parameters.min_f1_change, lower_is_better=False)
        ),
        num_improved=verdicts.count("improved"),
        num_regressed=verdicts.count("regressed"),
    )


def _asked(answers: tuple[Answer, ...]) -> list[tuple[str, str, str]]:
    return [(answer.leaf, answer.question, answer.reference) for answer in answers]


def _groups(answers: tuple[Answer, ...]) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.leaf, []).append(answer)
    return {**groups, OVERALL: list(answers)}


def _figures(answers: list[Answer]) -> Figures:
    return Figures(
        num_questions=len(answers),
        nll=sum(answer.nll for answer in answers) / sum(answer.num_tokens for answer in answers),
        f1=sum(answer.f1 for answer in answers) / len(answers),
    )
