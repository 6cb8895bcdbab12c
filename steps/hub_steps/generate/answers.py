"""Answers that were paid for already: written batch by batch, so that a killed generation does not ask for them again."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from hub_steps.digest import digest
from hub_steps.generate.ask import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.generate.prompt import Task


class AnswerFile:
    """A file of answers, each known by a digest of all that was asked, so that no other request can be given it."""

    def __init__(self, path: Path, batch_size: int) -> None:
        self.path, self.batch_size = path, batch_size
        self.batch: list[Reply] = []

    def read(self, tasks: list[Task]) -> dict[int, Reply]:
        """Return the replies that are there, by the index of their task; what a killed write left half is cut off."""
        known: dict[str, dict[str, Any]] = {}
        whole = 0
        if self.path.exists():
            for line in self.path.read_bytes().splitlines(keepends=True):
                if not line.endswith(b"\n") or (row := _row(line)) is None:
                    break
                known[row["key"]] = row
                whole += len(line)
            os.truncate(self.path, whole)
        return {
            index: Reply(task, row["text"], row["fault"])
            for index, task in enumerate(tasks)
            if (row := known.get(_key(task))) is not None
        }

    def add(self, reply: Reply) -> None:
        """Keep a reply, and write the batch when it is full."""
        self.batch.append(reply)
        if len(self.batch) >= self.batch_size:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet, so that it outlives even the machine's end."""
        rows = [{"key": _key(reply.task), "text": reply.text, "fault": reply.fault} for reply in self.batch]
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        self.batch.clear()


def _key(task: Task) -> str:
    return digest([task.leaf, task.seed_index, task.sample, task.seed, task.messages])


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and row.keys() == {"key", "text", "fault"} else None
