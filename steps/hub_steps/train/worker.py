"""One training process, started by torchrun: `python -m hub_steps.train.worker FOLDER`, where FOLDER holds the job file.

Data, model, trainer, train, save; the first process writes `adapter/` (if the algorithm makes one), `model/` (a plain
Transformers model), `metrics.jsonl` and `loss_curve.png`.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.contract import ExitCode, StepError, message, redact
from hub_steps.files import is_disk_full
from hub_steps.remains import CHECKPOINTS, SCRATCH
from hub_steps.train.checkpoints import last_checkpoint
from hub_steps.train.job import FAULT_FILE, JOB_FILE, SUMMARY_FILE, Fault, Job
from hub_steps.train.spare import hide_unused

if TYPE_CHECKING:
    from hub_steps.train.data import Data
    from hub_steps.train.trainer import Figures


def main(folder: Path) -> int:
    """Train as the job file in `folder` says, and leave a fault file there if that fails."""
    job = _job(folder)
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


def _job(folder: Path) -> Job:
    return Job.model_validate_json((folder / JOB_FILE).read_text(encoding="utf-8"))


def train(job: Job, folder: Path) -> int:
    """Run the training and write its outputs.

    Raises StepError if the data cannot be trained on, or a parameter needs what is not there.
    """
    import transformers

    from hub_steps.models.load import load_tokenizer
    from hub_steps.train.data import read_data
    from hub_steps.train.parallel import leave_processes
    from hub_steps.train.preemption import StopOnSignal
    from hub_steps.train.results import save_trained, write_results

    parameters, started = job.parameters, time.monotonic()
    stop = StopOnSignal()
    transformers.set_seed(parameters.seed)
    tokenizer = load_tokenizer(
        job.model, needs_template=not parameters.is_pretraining, trust_remote_code=parameters.trust_remote_code
    )
    tokenizer.padding_side = "right"
    data = read_data(job.data, tokenizer, parameters)
    trainer = _trainer(job, tokenizer, data)
    trainer.add_callback(stop)
    last = last_checkpoint(job.output / SCRATCH)
    facts = _facts(trainer.model, data)
    if trainer.is_world_process_zero():
        message(f"{facts['samples']} samples, {trainer.args.world_size} processes, "
                f"{facts['trainable_parameters']:,} trainable parameters"
                + (f", resuming from {last.name}" if last else ""))  # fmt: skip
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    if stop.stopped:
        _wait_for_all()  # The first process writes the checkpoint, and whoever leaves early takes the others with it.
        _leave_fault(folder, f"stopped at step {trainer.state.global_step} with a checkpoint", ExitCode.STOPPED)
        return ExitCode.STOPPED
    save_trained(trainer, job)
    facts |= _measured(trainer)
    is_first, state, rate = trainer.is_world_process_zero(), trainer.state, trainer.tokens_per_second
    _wait_for_all()
    if is_first:
        del trainer
        leave_processes(parameters)
        summary = write_results(job, tokenizer, state) | facts
        summary |= {"tokens_per_second": rate, "wall_seconds": round(time.monotonic() - started, 1)}
        (folder / SUMMARY_FILE).write_text(json.dumps(summary), encoding="utf-8")
    return ExitCode.DONE


def _trainer(job: Job, tokenizer: Any, data: Data) -> Figures:
    import transformers

    from hub_steps.train.keep import KeepCheckpoints, Policy
    from hub_steps.train.tracking import trackers
    from hub_steps.train.trainer import fine_tuner, trainer_arguments

    parameters, scratch = job.parameters, job.output / SCRATCH
    arguments = trainer_arguments(parameters, data, scratch, int(os.environ["WORLD_SIZE"]))
    if parameters.algorithm == "dpo":
        from hub_steps.train.preference import preference_tuner

        trainer: Figures = preference_tuner(job.model, tokenizer, data, arguments, parameters)
    else:
        trainer = fine_tuner(job.model, tokenizer, data, arguments, parameters)
    if parameters.algorithm == "osft":
        from hub_steps.train.osft import KeepOrthogonal

        trainer.add_callback(KeepOrthogonal())
    trainer.remove_callback(transformers.PrinterCallback)  # Standard output is for events.
    trainer.add_callback(KeepCheckpoints(Policy.of(parameters), scratch, job.output / CHECKPOINTS, tokenizer))
    if job.ready:
        from hub_steps.train.handover import HandOver

        trainer.add_callback(HandOver(scratch, job.ready))
    for tracker in trackers(job, trainer.is_world_process_zero()):
        trainer.add_callback(tracker)
    return trainer


def _facts(model: Any, data: Data) -> dict[str, Any]:
    # ZeRO 3 leaves a process without the weights, but notes how many there are.
    trainable = sum(getattr(weight, "ds_numel", weight.numel()) for weight in model.parameters() if weight.requires_grad)
    facts = {"samples": len(data.train), "too_long": data.num_too_long, "trainable_parameters": trainable}
    return facts | ({"validation_samples": len(data.validation)} if data.validation else {})


def _measured(trainer: Figures) -> dict[str, int]:
    """Return the most memory that any process took."""
    import torch

    from hub_steps.train.results import peak_memory_bytes

    peak = torch.tensor(peak_memory_bytes(), device=trainer.args.device)
    if torch.distributed.is_initialized():
        torch.distributed.all_reduce(peak, op=torch.distributed.ReduceOp.MAX)
    return {"peak_memory_bytes": int(peak.item())}


def _wait_for_all() -> None:
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


def _leave_fault(folder: Path, text: str, code: ExitCode) -> None:
    """Leave the reason for the launcher; the first process that fails is the one whose reason counts."""
    try:
        with (folder / FAULT_FILE).open("x", encoding="utf-8") as file:
            file.write(Fault(message=redact(text), exit_code=code).model_dump_json())
    except FileExistsError:
        sys.stderr.write(f"error: {redact(text)}\n")


if __name__ == "__main__":
    hide_unused(_job(Path(sys.argv[1])).parameters)
    sys.exit(main(Path(sys.argv[1])))
