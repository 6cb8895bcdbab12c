"""The held-out questions of the taxonomy: how likely the reference answers are, and what the model answers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import progress
from hub_steps.evaluate.measure import answered, asked, greedy_answers, last_turn_nll
from hub_steps.evaluate.metrics import token_f1
from hub_steps.evaluate.report import Answer, Measured, summarize
from hub_steps.parameters.evaluate import METRICS

if TYPE_CHECKING:
    from hub_steps.evaluate.measure import Candidate
    from hub_steps.parameters.evaluate import HeldOut
    from hub_steps.taxonomy import Pair

Questions = list[tuple[str, "Pair"]]
"""Leaves and their held-out pairs."""


def measure(candidate: Candidate, questions: Questions, suite: HeldOut) -> Measured:
    """Return likelihood and word overlap for each leaf and overall."""
    likelihoods = last_turn_nll(candidate, [answered(pair.question, pair.answer) for _, pair in questions], suite.batch_size)
    replies = greedy_answers(
        candidate, [asked(pair.question) for _, pair in questions], suite.batch_size, suite.max_new_tokens
    )
    answers: list[Answer] = []
    for (leaf, pair), (nll, num_tokens), reply in zip(questions, likelihoods, replies, strict=True):
        scores = {"nll": nll / num_tokens, "f1": token_f1(reply, pair.answer)}
        answers.append(Answer(group=leaf, question=pair.question, reference=pair.answer, answer=reply,
                              scores=scores, num_tokens=num_tokens))  # fmt: skip
        progress(len(answers), len(questions), "questions")
    metrics = METRICS[suite.suite]
    return Measured(metrics=metrics, lower_is_better=("nll",), figures=summarize(tuple(answers), metrics),
                    answers=tuple(answers))  # fmt: skip
