"""Checkpoints that are carried from a node's own disk to where the next attempt finds them."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from hub_steps.train.checkpoints import by_step

if TYPE_CHECKING:
    from pathlib import Path

MAX_WAITING = 2
"""Checkpoints of a node that wait to be carried away; training waits before there are more."""
WAIT_SECONDS = 300
"""The longest that training waits; collective operations of the other nodes wait for it, and give up in the end."""
POLL_SECONDS = 0.1


class HandOver(TrainerCallback):
    """Puts each whole checkpoint of this node into a folder in one move, as hard links."""

    def __init__(self, scratch: Path, ready: Path) -> None:
        self.scratch, self.ready = scratch, ready

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Hand over what this node's processes wrote, once all of them have."""
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if args.local_process_index:
            return
        if not control.should_training_stop and not self._has_room():
            return  # The next one is worth as much.
        name = f"checkpoint-{state.global_step}"
        if (self.ready / name).exists():
            return
        draft = self.ready / f".{name}"
        # A node that wrote nothing of its own still says so: the checkpoint is whole when every node has.
        draft.mkdir()
        for path in (self.scratch / name).rglob("*"):
            if path.is_file():
                linked = draft / path.relative_to(self.scratch / name)
                linked.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, linked)
        draft.rename(self.ready / name)
        if not state.is_world_process_zero:
            # The trainer makes room on the first node only, as if all shared a disk.
            for old in by_step(self.scratch)[:-1]:
                shutil.rmtree(old)

    def _has_room(self) -> bool:
        end = time.monotonic() + WAIT_SECONDS
        while len(list(self.ready.iterdir())) >= MAX_WAITING:
            if time.monotonic() > end:
                return False
            time.sleep(POLL_SECONDS)
        return True
