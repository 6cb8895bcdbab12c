"""The checkpoints that a training kept: full models, or adapters for the model that was trained."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_steps.contract import StepError
from hub_steps.evaluate.compare import lower_is_better, value
from hub_steps.evaluate.measure import Candidate
from hub_steps.evaluate.report import OVERALL, Evaluation
from hub_steps.models.load import load_model, load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"checkpoint-(\d{1,12})")


def checkpoint_folders(folder: Path) -> list[Path]:
    """Return the folders `checkpoint-STEP` in the order of their steps.

    Raises StepError if there are none.
    """
    found = [(int(match[1]), path) for path in folder.iterdir() if path.is_dir() and (match := _NAME.fullmatch(path.name))]
    if not found:
        raise StepError(f"{folder} holds no folder 'checkpoint-STEP': let the training keep checkpoints, as with save_steps")
    return [path for _, path in sorted(found)]


def load_checkpoint(checkpoint: Path, model: Path, *, trust_remote_code: bool) -> Candidate:
    """Return a checkpoint ready to be measured; an adapter is merged into `model`, the folder it was trained on.

    Raises StepError if it is neither a model nor an adapter that fits.
    """
    has_tokenizer = (checkpoint / "tokenizer_config.json").is_file()
    tokenizer = load_tokenizer(checkpoint if has_tokenizer else model, trust_remote_code=trust_remote_code)
    if not (checkpoint / "adapter_config.json").is_file():
        return Candidate(load_model(checkpoint, trust_remote_code=trust_remote_code).eval(), tokenizer)
    from peft import PeftModel
    from safetensors import SafetensorError

    network = load_model(model, trust_remote_code=trust_remote_code)
    try:
        adapted = PeftModel.from_pretrained(network, str(checkpoint), use_safetensors=True, local_files_only=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise StepError(f"cannot load the adapter in {checkpoint}: {' '.join(str(error).split())}") from None
    return Candidate(adapted.merge_and_unload().eval(), tokenizer)


def together(evaluations: dict[str, Evaluation]) -> Evaluation:
    """Return the evaluations of checkpoints as one: a group for each, and overall the best by the suite's first metric."""
    first = next(iter(evaluations.values()))
    best = max(evaluations, key=lambda name: _rank(evaluations[name], first.metrics[0]))
    figures = {name: evaluation.overall for name, evaluation in evaluations.items()}
    # The single answers of many checkpoints would be a huge file that nobody reads.
    return first.model_copy(
        update={"figures": {**figures, OVERALL: figures[best]}, "answers": (), "best": best, "comparison": None}
    )


def beside(base: Evaluation, evaluation: Evaluation) -> Evaluation:
    """Return a base model's evaluation in the shape of one of checkpoints, so that the two can be compared."""
    return base.model_copy(update={"figures": dict.fromkeys(evaluation.figures, base.overall), "answers": ()})


def _rank(evaluation: Evaluation, metric: str) -> float:
    figure = value(evaluation, metric)
    if figure is None:
        return float("-inf")
    return -figure if lower_is_better(metric, evaluation) else figure
