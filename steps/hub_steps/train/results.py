"""What a finished training leaves: the model, its adapter, the figures, the curve and a summary."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.contract import message
from hub_steps.remains import SCRATCH

if TYPE_CHECKING:
    from hub_steps.parameters import TrainStepParameters
    from hub_steps.train.job import Job

NOT_FIGURES = frozenset({"eval_loss", "eval_runtime", "eval_samples_per_second", "eval_steps_per_second"})


def save_trained(trainer: Any, job: Job) -> None:
    """Write what was trained, gathered from all processes: every one of them must call this."""
    trainer.save_model(str(_trained(job)))


def write_results(job: Job, tokenizer: Any, state: Any) -> dict[str, Any]:
    """Write figures, curve and model of a training that ended in `state`, and return its summary."""
    history = figures(state.log_history)
    write_figures(history, job.parameters, job.output)
    _write_model(job, tokenizer)
    summary = {"steps": history[-1]["step"], "first_loss": history[0]["loss"], "last_loss": history[-1]["loss"]}
    measured = [row for row in history if "validation_loss" in row]
    if measured:
        is_best = job.parameters.keep == "best"
        kept = min(measured, key=lambda row: row["validation_loss"]) if is_best else measured[-1]
        summary |= {"validation_loss": kept["validation_loss"]} | ({"best_step": kept["step"]} if is_best else {})
    return summary


def figures(log_history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of `metrics.jsonl`: one for every optimizer step, with the figures of a validation after it."""
    rows: dict[int, dict[str, Any]] = {}
    for entry in log_history:
        if "loss" in entry or "validation_loss" in entry:
            told = {name: value for name, value in entry.items() if name not in NOT_FIGURES}
            rows.setdefault(entry["step"], {}).update(told)
    return list(rows.values())


def write_figures(history: list[dict[str, Any]], parameters: TrainStepParameters, output: Path) -> None:
    """Write `metrics.jsonl` and `loss_curve.png`."""
    from hub_steps.train.curve import draw_loss

    with (output / "metrics.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in history)
    unit = "nats a pair" if parameters.algorithm == "dpo" else "nats a token"
    title = f"{parameters.algorithm}, learning rate {parameters.learning_rate:g}"
    draw_loss(history, title, output / "loss_curve.png", unit)


def peak_memory_bytes() -> int:
    """Return the most memory that this process took: of its accelerator, or resident on a CPU."""
    import resource

    import torch

    from hub_steps.models.load import on_accelerator

    if on_accelerator():
        return int(torch.accelerator.max_memory_allocated())
    status = Path("/proc/self/status")
    if status.is_file():  # Unlike getrusage, this does not count the process that this one was forked from.
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _trained(job: Job) -> Path:
    """Return where the trainer leaves what it trained; a whole model there is not an output yet."""
    return job.output / SCRATCH / "trained" if job.parameters.algorithm == "sft" else job.output / "adapter"


def _write_model(job: Job, tokenizer: Any) -> None:
    """Write `model/` in bfloat16, made anew from files, so that it is the same however training was spread out."""
    import torch

    from hub_steps.train.model import merged_model

    message("saving the model" if job.parameters.algorithm == "sft" else "saving the adapter and the merged model")
    model = merged_model(job.model, _trained(job), job.parameters).to(torch.bfloat16)
    model.save_pretrained(job.output / "model")
    tokenizer.save_pretrained(job.output / "model")
    (_trained(job) / "training_args.bin").unlink(missing_ok=True)
    if job.parameters.trust_remote_code:
        for path in job.model.glob("*.py"):
            shutil.copy(path, job.output / "model")
