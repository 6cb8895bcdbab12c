"""Multiple choice made of the taxonomy's held-out questions: the reference answer among answers to other questions."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from hub_steps.contract import StepError, progress
from hub_steps.evaluate.measure import answered, last_turn_nll
from hub_steps.evaluate.report import Answer, Measured, summarize
from hub_steps.parameters.evaluate import METRICS

if TYPE_CHECKING:
    from hub_steps.evaluate.held_out import Questions
    from hub_steps.evaluate.measure import Candidate
    from hub_steps.parameters.evaluate import MmluBranch


def measure(candidate: Candidate, questions: Questions, suite: MmluBranch) -> Measured:
    """Return how often the reference answer is the likeliest one a token, for each leaf and overall.

    Raises StepError if the held-out pairs have too few different answers.
    """
    choices = [_choices(place, questions, suite) for place in range(len(questions))]
    conversations = [
        answered(pair.question, choice) for (_, pair), offered in zip(questions, choices, strict=True) for choice in offered
    ]
    likelihoods = last_turn_nll(candidate, conversations, suite.batch_size)
    answers: list[Answer] = []
    for (leaf, pair), offered in zip(questions, choices, strict=True):
        scored = [(nll / num_tokens, choice) for choice, (nll, num_tokens) in zip(offered, likelihoods, strict=False)]
        # A model that is broken likes every answer 'not a number': that is no choice.
        chosen = min(scored)[1] if all(nll == nll for nll, _ in scored) else ""
        answers.append(Answer(group=leaf, question=pair.question, reference=pair.answer, answer=chosen,
                              choices=offered, scores={"accuracy": float(chosen == pair.answer)}))  # fmt: skip
        progress(len(answers), len(questions), "questions")
    metrics = METRICS[suite.suite]
    return Measured(metrics=metrics, figures=summarize(tuple(answers), metrics), answers=tuple(answers))


def _choices(place: int, questions: Questions, suite: MmluBranch) -> tuple[str, ...]:
    """Return the answers to choose from; wrong ones come from the same leaf as long as it has enough."""
    leaf, pair = questions[place]
    taken = {_plain(pair.answer)}
    wrong: list[str] = []
    choice = random.Random(f"{suite.seed}/{leaf}/{pair.question}")  # noqa: S311 - reproducible, not secret
    others = [
        (name != leaf, choice.random(), other)
        for name, other in questions
        if _plain(other.question) != _plain(pair.question)
    ]
    for _, _, other in sorted(others, key=lambda entry: entry[:2]):
        if len(wrong) == suite.num_choices - 1:
            break
        if _plain(other.answer) not in taken:
            taken.add(_plain(other.answer))
            wrong.append(other.answer)
    if len(wrong) < suite.num_choices - 1:
        raise StepError(
            f"the suite 'mmlu_branch' needs {suite.num_choices} different answers to choose from, and the held-out pairs "
            f"have {len(taken)}: hold out more pairs, or ask for fewer choices with 'num_choices'"
        )
    offered = [pair.answer, *wrong]
    choice.shuffle(offered)
    return tuple(offered)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
