"""One training process, started by torchrun: `python -m hub_steps.train.worker FOLDER`, where FOLDER holds the job file.

Data, model, trainer, train, save; the first process writes `adapter/`, `model/` (adapter merged into the base model),
`metrics.jsonl` and `loss_curve.png`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from hub_steps.contract import ExitCode, StepError, message, redact
from hub_steps.files import is_disk_full
from hub_steps.train.checkpoints import last_checkpoint
from hub_steps.train.job import FAULT_FILE, JOB_FILE, SUMMARY_FILE, Fault, Job
from hub_steps.workspace import CHECKPOINTS


def main(folder: Path) -> int:
    """Train as the job file in `folder` says, and leave a fault file there if that fails."""
    job = Job.model_validate_json((folder / JOB_FILE).read_text(encoding="utf-8"))
    try:
        return train(job, folder)
    except StepError as error:
        _leave_fault(folder, str(error), error.exit_code)
    except Exception as error:
        if is_disk_full(error):
            _leave_fault(
                folder, f"no space left on the device that holds {job.output}: free some, then run again", ExitCode.RETRY
            )
            return ExitCode.FAILED
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
        _leave_fault(folder, f"{type(error).__name__}: {error}", ExitCode.FAILED)
    return ExitCode.FAILED


def train(job: Job, folder: Path) -> int:
    """Run the training and write its outputs.

    Raises StepError if the data cannot be trained on.
    """
    import transformers
    from peft import LoraConfig, get_peft_model

    from hub_steps.models.load import load_model, load_tokenizer
    from hub_steps.train.data import read_samples
    from hub_steps.train.preemption import StopOnSignal
    from hub_steps.train.trainer import StepTrainer, adapter_settings, training_arguments

    parameters = job.parameters
    world_size = int(os.environ["WORLD_SIZE"])
    if parameters.effective_batch_size % world_size:
        raise StepError(f"effective_batch_size {parameters.effective_batch_size} is not divisible by {world_size} processes")
    stop = StopOnSignal()
    transformers.set_seed(parameters.seed)
    tokenizer = load_tokenizer(job.model)
    tokenizer.padding_side = "right"
    samples, num_too_long = read_samples(job.data, tokenizer, parameters.max_seq_len)
    model = get_peft_model(load_model(job.model), LoraConfig(**adapter_settings(parameters)))
    checkpoints = job.output / CHECKPOINTS
    trainer = StepTrainer(
        model=model,
        args=training_arguments(parameters, checkpoints, world_size),
        train_dataset=samples,
        data_collator=transformers.DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100),
        callbacks=[stop],
    )
    # Standard output is for events.
    trainer.remove_callback(transformers.PrinterCallback)
    last = last_checkpoint(checkpoints)
    if trainer.is_world_process_zero():
        trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
        message(f"{len(samples)} samples, {world_size} processes, {trainable:,} trainable parameters"
                + (f", resuming from {last.name}" if last else ""))  # fmt: skip
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if stop.stopped:
        _wait_for_all()  # The first process writes the checkpoint, and whoever leaves early takes the others with it.
        _leave_fault(folder, f"stopped at step {trainer.state.global_step} with a checkpoint", ExitCode.STOPPED)
        return ExitCode.STOPPED
    if trainer.is_world_process_zero():
        history = [entry for entry in trainer.state.log_history if "loss" in entry]
        _save(job, model, tokenizer, history)
        summary = _summary(history, len(samples), num_too_long)
        (folder / SUMMARY_FILE).write_text(json.dumps(summary), encoding="utf-8")
    _wait_for_all()
    return ExitCode.DONE


def _wait_for_all() -> None:
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _save(job: Job, model: Any, tokenizer: Any, history: list[dict[str, Any]]) -> None:
    import torch

    from hub_steps.train.curve import draw_loss

    message("saving the adapter and the merged model")
    with (job.output / "metrics.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in history)
    draw_loss(
        history, f"{job.parameters.algorithm}, learning rate {job.parameters.learning_rate:g}", job.output / "loss_curve.png"
    )
    model.save_pretrained(job.output / "adapter")
    merged = model.merge_and_unload().to(torch.bfloat16)
    merged.save_pretrained(job.output / "model")
    tokenizer.save_pretrained(job.output / "model")


def _summary(history: list[dict[str, Any]], num_samples: int, num_too_long: int) -> dict[str, Any]:
    rates = [entry["tokens_per_second"] for entry in history if "tokens_per_second" in entry]
    return {
        "samples": num_samples,
        "too_long": num_too_long,
        "steps": history[-1]["step"],
        "first_loss": history[0]["loss"],
        "last_loss": history[-1]["loss"],
        "tokens_per_second": round(sum(rates) / len(rates), 1) if rates else None,
    }


def _leave_fault(folder: Path, text: str, code: ExitCode) -> None:
    """Leave the reason for the launcher; the first process that fails is the one whose reason counts."""
    try:
        with (folder / FAULT_FILE).open("x", encoding="utf-8") as file:
            file.write(Fault(message=redact(text), exit_code=code).model_dump_json())
    except FileExistsError:
        sys.stderr.write(f"error: {redact(text)}\n")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
