"""Transformers' trainer, told what to do by a step's parameters and telling its figures as step events."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import Trainer, TrainingArguments

from hub_steps.contract import StepError, progress
from hub_steps.models.load import on_accelerator

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainParameters


class StepTrainer(Trainer):
    """Adds tokens a second to every log entry and reports it."""

    _last_time = 0.0
    _last_tokens = 0

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log figures of the newest step.

        Raises StepError if the loss is no number any more: what follows would be no model.
        """
        if "loss" in logs:
            if not math.isfinite(logs["loss"]):
                raise StepError(f"the loss is {logs['loss']} at step {self.state.global_step}: lower the learning rate")
            now, tokens = time.monotonic(), int(self.state.num_input_tokens_seen)
            if self._last_time:
                logs["tokens_per_second"] = round((tokens - self._last_tokens) / (now - self._last_time), 1)
            self._last_time, self._last_tokens = now, tokens
            if self.is_world_process_zero():
                shown = {name: float(logs[name]) for name in ("loss", "learning_rate", "tokens_per_second") if name in logs}
                progress(self.state.global_step, self.state.max_steps, "steps", **shown)
        super().log(logs, start_time)


def training_arguments(parameters: TrainParameters, checkpoints: Path, world_size: int) -> TrainingArguments:
    """Return the trainer's settings: the effective batch shared out over processes and accumulation steps."""
    uses_accelerator = on_accelerator()
    per_process = parameters.effective_batch_size // world_size
    micro = max(size for size in range(1, min(parameters.micro_batch_size, per_process) + 1) if per_process % size == 0)
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=parameters.num_epochs,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=per_process // micro,
        learning_rate=parameters.learning_rate,
        lr_scheduler_type=parameters.lr_scheduler,
        warmup_steps=parameters.warmup_steps,
        weight_decay=parameters.weight_decay,
        adam_beta1=parameters.beta1,
        adam_beta2=parameters.beta2,
        adam_epsilon=parameters.eps,
        max_grad_norm=parameters.max_grad_norm,
        seed=parameters.seed,
        use_cpu=not uses_accelerator,
        bf16=uses_accelerator,
        save_strategy="epoch" if parameters.checkpoint_at_epoch else "no",
        save_total_limit=1,
        logging_steps=1,
        logging_nan_inf_filter=False,
        include_num_input_tokens_seen="non_padding",
        report_to="none",
        disable_tqdm=True,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=uses_accelerator,
    )


def adapter_settings(parameters: TrainParameters) -> dict[str, Any]:
    """Return the arguments of peft.LoraConfig."""
    return {
        "r": parameters.lora_r,
        "lora_alpha": parameters.lora_alpha,
        "lora_dropout": parameters.lora_dropout,
        "target_modules": list(parameters.target_modules) if parameters.target_modules else "all-linear",
        "task_type": "CAUSAL_LM",
    }
