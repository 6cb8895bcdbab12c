"""Transformers' trainer, told what to do by a step's parameters and telling its figures as step events."""

from __future__ import annotations

import math
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainingArguments

from hub_steps.contract import StepError, progress
from hub_steps.models.load import on_accelerator
from hub_steps.train.batches import PackingCollator, PaddingCollator, micro_batch_size, sequence_length
from hub_steps.train.model import precision, trainable_model
from hub_steps.train.parallel import join_processes, parallel_arguments

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainStepParameters
    from hub_steps.train.data import Data


class Figures(Trainer):
    """Adds tokens a second to every log entry of a trainer, and reports it."""

    tokens_per_second: float | None = None
    """All tokens of this attempt over all its seconds, but those of the first step, which warms up."""
    _started: tuple[float, int] | None = None
    _last: tuple[float, int] = (0.0, 0)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log figures of the newest step.

        Raises StepError if the loss is no number any more: what follows would be no model.
        """
        if "loss" in logs:
            if not math.isfinite(logs["loss"]):
                raise StepError(f"the loss is {logs['loss']} at step {self.state.global_step}: lower the learning rate")
            now = time.monotonic(), int(self.state.num_input_tokens_seen)
            if self._started:
                logs["tokens_per_second"] = _rate(self._last, now)
                self.tokens_per_second = _rate(self._started, now)
            self._started, self._last = self._started or now, now
            self._tell(logs, ("loss", "learning_rate", "tokens_per_second"))
        if "eval_loss" in logs:
            logs["validation_loss"] = logs["eval_loss"]
            self._tell(logs, ("validation_loss",))
        super().log(logs, start_time)

    def _tell(self, logs: dict[str, float], names: tuple[str, ...]) -> None:
        if self.is_world_process_zero():
            shown = {name: float(logs[name]) for name in names if name in logs}
            progress(self.state.global_step, self.state.max_steps, "steps", **shown)

    def _track_num_input_tokens(self, inputs: Any) -> None:
        """Count the tokens of packed sequences, too: they have no attention mask, and padding starts at position 0."""
        if "position_ids" in inputs:
            mask = (inputs["position_ids"] > 0) | (inputs["position_ids"].roll(-1, dims=-1) == 1)
            inputs = {**inputs, "attention_mask": mask}
        super()._track_num_input_tokens(inputs)  # type: ignore[no-untyped-call]


def _rate(start: tuple[float, int], end: tuple[float, int]) -> float:
    return round((end[1] - start[1]) / (end[0] - start[0]), 1)


def fine_tuner(
    folder: Path, tokenizer: Any, data: Data, arguments: dict[str, Any], parameters: TrainStepParameters
) -> Figures:
    """Return the trainer of all algorithms that learn text, with the model in `folder`.

    Raises StepError if the model cannot be trained as the parameters say.
    """
    settings = TrainingArguments(**arguments)  # Before the model: what loads models looks there how they are spread.
    join_processes(parameters)
    model = trainable_model(folder, parameters)
    collator = _packing(model, tokenizer, parameters) if parameters.packing else PaddingCollator(tokenizer.pad_token_id)
    return Figures(
        model=model,
        args=settings,
        train_dataset=data.train,
        eval_dataset=data.validation or None,
        data_collator=collator,
    )


def _packing(model: Any, tokenizer: Any, parameters: TrainStepParameters) -> PackingCollator:
    if getattr(model, "_is_stateful", False):
        raise StepError("packing does not work with this model: what it remembers of a sample would reach the next one")
    flash = str(model.config._attn_implementation).startswith("flash")
    return PackingCollator(sequence_length(parameters), tokenizer.pad_token_id, one_sequence=flash)


def trainer_arguments(parameters: TrainStepParameters, data: Data, scratch: Path, world_size: int) -> dict[str, Any]:
    """Return the arguments of TrainingArguments: the effective batch shared out over processes and accumulation steps.

    Raises StepError if the batch cannot be shared out, or a parameter needs what this machine does not have.
    """
    if parameters.effective_batch_size % world_size:
        raise StepError(f"effective_batch_size {parameters.effective_batch_size} is not divisible by {world_size} processes")
    per_process = parameters.effective_batch_size // world_size
    micro = micro_batch_size([*data.train, *data.validation], parameters, per_process)
    return {
        "output_dir": str(scratch),
        "num_train_epochs": parameters.num_epochs,
        "per_device_train_batch_size": micro,
        "per_device_eval_batch_size": micro,
        "gradient_accumulation_steps": per_process // micro,
        "seed": parameters.seed,
        "save_strategy": "no",
        "save_total_limit": 1,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "report_to": "none",
        "disable_tqdm": True,
        **_optimizer(parameters),
        **_machine(parameters),
        **_activations(parameters),
        **_validation(parameters),
        **parallel_arguments(parameters),
    }


def _optimizer(parameters: TrainStepParameters) -> dict[str, Any]:
    return {
        "learning_rate": parameters.learning_rate,
        "lr_scheduler_type": parameters.lr_scheduler,
        "warmup_steps": parameters.warmup_steps,
        "weight_decay": parameters.weight_decay,
        "adam_beta1": parameters.beta1,
        "adam_beta2": parameters.beta2,
        "adam_epsilon": parameters.eps,
        "max_grad_norm": parameters.max_grad_norm,
    }


def _machine(parameters: TrainStepParameters) -> dict[str, Any]:
    uses_accelerator = on_accelerator()
    if parameters.use_liger and not uses_accelerator:
        raise StepError("use_liger needs an accelerator: Liger kernels do not run on a CPU")
    if parameters.use_liger and find_spec("liger_kernel") is None:
        raise StepError("use_liger needs the package liger-kernel, which is not installed")
    computing = precision(parameters)
    return {
        "use_cpu": not uses_accelerator,
        "bf16": computing == "bf16",
        "fp16": computing == "fp16",
        "use_liger_kernel": parameters.use_liger,
        "dataloader_pin_memory": uses_accelerator,
    }


def _activations(parameters: TrainStepParameters) -> dict[str, Any]:
    # FSDP has a way of its own to compute activations twice.
    if not parameters.gradient_checkpointing or parameters.parallelism.strategy == "fsdp":
        return {}
    return {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}


def _validation(parameters: TrainStepParameters) -> dict[str, Any]:
    if not parameters.validation_split:
        return {}
    every = parameters.validation_frequency
    arguments: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": every} if every else {"eval_strategy": "epoch"}
    if parameters.keep == "best":
        # The best checkpoint is one that was saved when it was measured.
        arguments |= {"save_strategy": arguments["eval_strategy"], "save_steps": every or 1, "load_best_model_at_end": True,
                      "metric_for_best_model": "loss", "greater_is_better": False}  # fmt: skip
    return arguments
