"""Free answers, scored by a judge: MT-Bench's questions of two turns, and the taxonomy's held-out questions.

Way of measuring: https://arxiv.org/abs/2306.05685; the model answers greedily, so that two runs say the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_steps.contract import StepError, faults, message, progress
from hub_steps.evaluate.judge import Exchange, judge
from hub_steps.evaluate.measure import Conversation, greedy_answers
from hub_steps.evaluate.report import Answer, Measured, summarize
from hub_steps.parameters.evaluate import METRICS

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.evaluate.held_out import Questions
    from hub_steps.evaluate.measure import Candidate
    from hub_steps.parameters.evaluate import MtBench, MtBenchBranch
    from hub_steps.workspace import Workspace

Turn = Annotated[str, Field(min_length=1)]


class Question(BaseModel):
    """One question of MT-Bench: what the user says, turn by turn; `reference` has what to say in each turn."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    question_id: int | str
    category: Annotated[str, Field(min_length=1, max_length=500)]
    turns: Annotated[tuple[Turn, ...], Field(min_length=1, max_length=8)]
    reference: tuple[str, ...] = ()

    def reference_of(self, turn: int) -> str | None:
        """Return what to say in a turn, from 0, or None if that is not known."""
        return self.reference[turn] if turn < len(self.reference) else None


def branch_questions(questions: Questions) -> list[Question]:
    """Return the held-out pairs as questions of one turn."""
    return [
        Question(question_id=place, category=leaf, turns=(pair.question,), reference=(pair.answer,))
        for place, (leaf, pair) in enumerate(questions)
    ]


def read_questions(file: Path) -> list[Question]:
    """Return the questions of a file of JSON lines.

    Raises StepError, with the number of the line, if one is not as it must be, and if there are none.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise StepError(f"the questions of the suite 'mt_bench': the file is not UTF-8 text: {error}") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(Question.model_validate_json(line))
        except ValidationError as error:
            raise StepError(f"the questions of the suite 'mt_bench': line {number}: {faults(error)}") from None
    if not found:
        raise StepError("the questions of the suite 'mt_bench': the file has no questions")
    return found


def measure(
    candidate: Candidate, questions: list[Question], suite: MtBench | MtBenchBranch, workspace: Workspace
) -> Measured:
    """Return the judge's mean score for each category and overall; every turn is answered and scored."""
    talks = _talk(candidate, questions, suite)
    places = [(question, turn) for question in range(len(questions)) for turn in range(len(talks[question]))]
    judged = judge(workspace, suite, [talks[question][: turn + 1] for question, turn in places])
    answers = tuple(
        Answer(
            group=questions[place].category,
            question=exchange.question,
            reference=exchange.reference,
            answer=exchange.answer,
            turn=turn + 1,
            scores={} if judgement.score is None else {"score": judgement.score},
            judgement=judgement.text,
        )
        for (place, turn), judgement in zip(places, judged, strict=True)
        for exchange in [talks[place][turn]]
    )
    metrics = METRICS[suite.suite]
    return Measured(metrics=metrics, figures=summarize(answers, metrics), answers=answers)


def _talk(candidate: Candidate, questions: list[Question], suite: MtBench | MtBenchBranch) -> list[list[Exchange]]:
    """Return what was said turn by turn; in each turn all questions that have it are answered in batches."""
    talks: list[list[Exchange]] = [[] for _ in questions]
    total, done = sum(len(question.turns) for question in questions), 0
    message(f"the model answers {total} times")
    for turn in range(max(len(question.turns) for question in questions)):
        having = [place for place, question in enumerate(questions) if turn < len(question.turns)]
        conversations = [_conversation(talks[place], questions[place].turns[turn]) for place in having]
        replies = greedy_answers(candidate, conversations, suite.batch_size, suite.max_new_tokens)
        for place, reply in zip(having, replies, strict=True):
            question = questions[place]
            talks[place].append(Exchange(question.turns[turn], reply, question.reference_of(turn)))
            done += 1
            progress(done, total, "answers")
    return talks


def _conversation(past: list[Exchange], question: str) -> Conversation:
    turns: Conversation = []
    for exchange in past:
        turns += [{"role": "user", "content": exchange.question}, {"role": "assistant", "content": exchange.answer}]
    return [*turns, {"role": "user", "content": question}]
