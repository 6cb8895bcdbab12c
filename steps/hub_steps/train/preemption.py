"""A checkpoint when the step is told to stop, at the same optimizer step in every process."""

from __future__ import annotations

import signal
from typing import Any

import torch
from transformers import TrainerCallback


class StopOnSignal(TrainerCallback):
    """After SIGTERM in any process, all processes save a checkpoint at the end of the current step and stop."""

    def __init__(self) -> None:
        self.asked = False
        self.stopped = False
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Agree with the other processes on whether to stop: one that saved alone would wait for them forever."""
        self.stopped = self._any_asked(args.device)
        if self.stopped:
            control.should_save = True
            control.should_training_stop = True

    def _any_asked(self, device: torch.device) -> bool:
        if not torch.distributed.is_initialized():
            return self.asked
        flag = torch.tensor(int(self.asked), device=device)
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return bool(flag.item())
