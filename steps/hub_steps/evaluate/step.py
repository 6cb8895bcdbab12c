"""The evaluate step: a model, or the checkpoints of a training, measured with one suite; writes `evaluation.json`.

With a baseline (the evaluation of another model with the same suite) the file also holds the comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import StepError, message
from hub_steps.evaluate.compare import compare
from hub_steps.evaluate.report import EVALUATION_FILE, Evaluation, Measured, read_evaluation
from hub_steps.models.load import cache_folder, load_model, load_tokenizer, model_folder
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from hub_steps.parameters import EvaluateParameters
    from hub_steps.workspace import Workspace

LABELS = {"nll": "NLL {} nats a token", "f1": "token F1 {}"}
MAX_METRICS = 6


def main(workspace: Workspace, parameters: EvaluateParameters) -> Outcome:
    """Measure the model, or each checkpoint, and compare it with the baseline if there is one."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    has_checkpoints = "checkpoints" in workspace.request.inputs
    evaluation = _checkpoints(workspace, parameters) if has_checkpoints else _model(workspace, parameters)
    if "baseline" in workspace.request.inputs:
        evaluation = _compared(evaluation, workspace, parameters)
    workspace.path(EVALUATION_FILE).write_text(evaluation.model_dump_json(indent=2, exclude_none=True), encoding="utf-8")
    told = {"suite": evaluation.suite, "name": evaluation.name, "best": evaluation.best}
    overall = {"num_questions": evaluation.overall.num_questions, "num_unscored": evaluation.overall.num_unscored}
    return Outcome(_summary(evaluation), told | overall | evaluation.overall.values)


def _model(workspace: Workspace, parameters: EvaluateParameters) -> Evaluation:
    from hub_steps.evaluate.measure import Candidate
    from hub_steps.evaluate.suites import measurement

    measure = measurement(workspace, parameters)
    folder = model_folder(workspace.local_input("model"), cache_folder(workspace.request))
    message("loading the model")
    may = parameters.trust_remote_code
    candidate = Candidate(load_model(folder, trust_remote_code=may).eval(), load_tokenizer(folder, trust_remote_code=may))
    return _evaluation(measure(candidate), workspace.input("model").key, parameters)


def _checkpoints(workspace: Workspace, parameters: EvaluateParameters) -> Evaluation:
    from hub_steps.evaluate.checkpoints import checkpoint_folders, load_checkpoint, together
    from hub_steps.evaluate.suites import measurement

    measure = measurement(workspace, parameters)
    folder = model_folder(workspace.local_input("model"), cache_folder(workspace.request))
    found = {}
    for checkpoint in checkpoint_folders(workspace.input_path("checkpoints")):
        message(f"loading {checkpoint.name}")
        # No name is kept for the model, so that it is gone before the next one is loaded.
        measured = measure(load_checkpoint(checkpoint, folder, trust_remote_code=parameters.trust_remote_code))
        found[checkpoint.name] = _evaluation(measured, workspace.input("checkpoints").key, parameters)
    return together(found)


def _evaluation(measured: Measured, model: str, parameters: EvaluateParameters) -> Evaluation:
    suite = parameters.suite
    # The fields as they are: dumping and validating again would cost as much as it checks.
    fields = {name: getattr(measured, name) for name in Measured.model_fields}
    return Evaluation(suite=suite.suite, name=suite.name or suite.suite, model=model, **fields)


def _compared(evaluation: Evaluation, workspace: Workspace, parameters: EvaluateParameters) -> Evaluation:
    path = workspace.input_path("baseline")
    base = read_evaluation(path)
    if evaluation.best:
        from hub_steps.evaluate.checkpoints import beside

        base = beside(base, evaluation)
    try:
        return evaluation.model_copy(update={"comparison": compare(base, evaluation, parameters.suite)})
    except ValueError as error:
        raise StepError(f"cannot compare with {path}: {error}") from None


def _summary(evaluation: Evaluation) -> str:
    overall = evaluation.overall
    shown = [
        LABELS.get(metric, f"{metric} {{}}").format("not a number" if figure is None else f"{figure:.3f}")
        for metric, figure in overall.values.items()
    ]
    more = [f"and {len(shown) - MAX_METRICS} more figures"] if len(shown) > MAX_METRICS else []
    unscored = [f"{overall.num_unscored} without a readable verdict"] if overall.num_unscored else []
    best = [f"the best of {len(evaluation.figures) - 1} checkpoints is {evaluation.best}"] if evaluation.best else []
    return ", ".join([*best, f"{overall.num_questions} questions", *unscored, *shown[:MAX_METRICS], *more])
