"""The checkpoints of a training that was cut off: the newest whole one is where the next attempt goes on."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

STATE_FILE = "trainer_state.json"
"""The trainer writes it last, so a checkpoint without it was cut off in the middle."""
_NAME = re.compile(r"checkpoint-(\d+)")


def by_step(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, the oldest first."""
    found = {path: match for path in folder.glob("checkpoint-*") if (match := _NAME.fullmatch(path.name))}
    return sorted(found, key=lambda path: int(found[path][1]))


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest whole checkpoint."""
    return next((path for path in reversed(by_step(folder)) if _is_whole(path)), None)


def remove_halves(folder: Path) -> None:
    """Remove what is no whole checkpoint, which the trainer would otherwise keep as the newest, or go on from."""
    for path in by_step(folder):
        if not _is_whole(path):
            shutil.rmtree(path)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True
