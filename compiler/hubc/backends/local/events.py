"""Following the logs of steps on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.logs import Tail, parse_event, tail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TAIL_BYTES = 64 * 1024


class LogReader:
    """Follows a growing log file and yields the events in its new lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = path.stat().st_size if path.exists() else 0

    def lines(self, *, to_the_end: bool = False) -> Iterator[str]:
        """Yield every line that was completed since the last call; or all, when nobody will complete the last one."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except FileNotFoundError:
            return
        end = len(data) if to_the_end else data.rfind(b"\n") + 1
        self.offset += end
        yield from data[:end].decode(errors="replace").splitlines()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield every event that was completed since the last call."""
        for line in self.lines():
            if event := parse_event(line):
                yield event


def last_lines(path: Path, number: int = 15) -> Tail:
    """Return the end of a log file."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return tail(file.read().decode(errors="replace"), number)
    except FileNotFoundError:
        return Tail([], "")
