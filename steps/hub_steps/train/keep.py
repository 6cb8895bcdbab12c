"""Checkpoints that a training keeps for others, beside those that it only needs to go on from."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from hub_steps.train.checkpoints import by_step

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainParameters

MODEL_FILES = ("*.safetensors", "*.safetensors.index.json", "config.json", "generation_config.json", "adapter_config.json")


@dataclass(frozen=True)
class Policy:
    """Which checkpoints are kept: how often, how many, and whether training can go on from them."""

    every_steps: int | None
    at_epoch: bool
    limit: int | None
    full_state: bool

    @classmethod
    def of(cls, parameters: TrainParameters) -> Policy:
        """Return the policy that a step's parameters ask for."""
        steps = parameters.save_steps
        if parameters.save_samples:
            steps = math.ceil(parameters.save_samples / parameters.effective_batch_size)
        return cls(
            every_steps=steps,
            at_epoch=parameters.checkpoint_at_epoch,
            limit=parameters.save_total_limit,
            full_state=parameters.accelerate_full_state_at_epoch,
        )


class KeepCheckpoints(TrainerCallback):
    """Asks for the checkpoints of a policy, and keeps them from the trainer, which removes all but its newest."""

    def __init__(self, policy: Policy, scratch: Path, kept: Path, tokenizer: Any) -> None:
        self.policy = policy
        self.scratch = scratch
        self.kept = kept
        self.tokenizer = tokenizer
        self.asked = 0
        """The newest step whose checkpoint was asked for."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint every so many steps."""
        if self.policy.every_steps and state.global_step % self.policy.every_steps == 0:
            self._ask(state, control)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ask for a checkpoint at the end of an epoch; a stop in the middle of one ends it here, too."""
        if self.policy.at_epoch and float(state.epoch).is_integer():
            self._ask(state, control)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the checkpoint that was just written, if it was asked for."""
        if state.global_step != self.asked or not state.is_world_process_zero:
            return
        name = f"checkpoint-{state.global_step}"
        draft = self.scratch / f"kept-{state.global_step}"
        shutil.rmtree(draft, ignore_errors=True)
        _link(self.scratch / name, draft, self.policy.full_state)
        self.tokenizer.save_pretrained(draft)
        self.kept.mkdir(exist_ok=True)
        shutil.rmtree(self.kept / name, ignore_errors=True)
        draft.rename(self.kept / name)
        if self.policy.limit:
            for old in by_step(self.kept)[: -self.policy.limit]:
                shutil.rmtree(old)

    def _ask(self, state: Any, control: Any) -> None:
        if self.asked != state.global_step:
            self.asked = state.global_step
            control.should_save = True


def _link(checkpoint: Path, target: Path, full_state: bool) -> None:
    """Give the files of a checkpoint a second name, so that they take no second place."""
    patterns = ("**/*",) if full_state else MODEL_FILES
    for path in {path for pattern in patterns for path in checkpoint.glob(pattern) if path.is_file()}:
        linked = target / path.relative_to(checkpoint)
        linked.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, linked)
