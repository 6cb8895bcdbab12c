"""The evaluate step: a model and the human-written questions in, `evaluation.json` out.

With a baseline (the evaluation of another model on the same questions) the file also holds the comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from hub_steps.contract import StepError, faults, message, progress
from hub_steps.evaluate.metrics import token_f1
from hub_steps.evaluate.report import OVERALL, Answer, Evaluation, compare, figures
from hub_steps.models.load import cache_folder, load_model, load_tokenizer, model_folder
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import EvaluateParameters
    from hub_steps.taxonomy import Pair
    from hub_steps.workspace import Workspace

EVALUATION_FILE = "evaluation.json"


def main(workspace: Workspace, parameters: EvaluateParameters) -> Outcome:
    """Measure the model on every held-out question, and compare it with the baseline if there is one."""
    questions = [
        (name, pair)
        for name, leaf in workspace.leaves().items()
        for seed in leaf.seed_examples
        for pair in seed.questions_and_answers
    ]
    model = workspace.input("model")
    answers = _measure(model_folder(model, cache_folder(workspace.request)), questions, parameters)
    evaluation = Evaluation(model=model.key, answers=answers, figures=figures(answers))
    if "baseline" in workspace.request.inputs:
        evaluation = _compared(evaluation, workspace.input_path("baseline"), parameters)
    workspace.path(EVALUATION_FILE).write_text(evaluation.model_dump_json(indent=2), encoding="utf-8")
    overall = evaluation.figures[OVERALL]
    summary = f"{overall.num_questions} questions, NLL {overall.nll:.3f} nats a token, token F1 {overall.f1:.3f}"
    return Outcome(summary, overall.model_dump())


def _measure(folder: Path, questions: list[tuple[str, Pair]], parameters: EvaluateParameters) -> tuple[Answer, ...]:
    from transformers.utils.logging import disable_progress_bar

    from hub_steps.evaluate.measure import greedy_answers, reference_nll

    disable_progress_bar()
    message("loading the model")
    tokenizer, model = load_tokenizer(folder), load_model(folder).eval()
    pairs = [pair for _, pair in questions]
    likelihoods = reference_nll(model, tokenizer, pairs, parameters.batch_size)
    replies = greedy_answers(model, tokenizer, pairs, parameters.batch_size, parameters.max_new_tokens)
    answers: list[Answer] = []
    for (leaf, pair), (nll, num_tokens), reply in zip(questions, likelihoods, replies, strict=True):
        answers.append(Answer(leaf=leaf, question=pair.question, reference=pair.answer, answer=reply,
                              nll=nll, num_tokens=num_tokens, f1=token_f1(reply, pair.answer)))  # fmt: skip
        progress(len(answers), len(pairs), "questions")
    return tuple(answers)


def _compared(evaluation: Evaluation, baseline: Path, parameters: EvaluateParameters) -> Evaluation:
    try:
        base = Evaluation.model_validate_json(baseline.read_text(encoding="utf-8"))
        return evaluation.model_copy(update={"comparison": compare(base, evaluation.answers, parameters)})
    except (OSError, ValueError) as error:
        reason = faults(error) if isinstance(error, ValidationError) else error
        raise StepError(f"cannot compare with {baseline}: {reason}") from None
