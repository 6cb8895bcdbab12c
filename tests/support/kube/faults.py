"""What can go wrong on the way, told beforehand."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Fault:
    """What happens to the next requests of one kind, instead of or beside the answer."""

    verb: str
    """`create get list watch update patch delete`, or `*`."""
    resource: str
    """Such as `pods` or `pods/log`, or `*`."""
    status: int | None = None
    """Answer with this code."""
    text: str | None = None
    """Answer with this text instead of a Status object."""
    message: str = ""
    reason: str | None = None
    retry_after: str | None = None
    """Value of the header `Retry-After`."""
    seconds: float = 0.0
    """Answer late."""
    reset: bool = False
    """Break the connection without an answer."""
    after_done: bool = False
    """Do what was asked first, and then answer with the fault: the client cannot know."""
    drop_after: int | None = None
    """End a watch or a log stream without a word after so many events or lines."""
    times: int = 1


class Faults:
    """A queue of faults for each kind of request."""

    def __init__(self) -> None:
        self._queue: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Let a fault happen to the next requests of its kind."""
        with self._lock:
            self._queue.append(fault)

    def take(self, verb: str, resource: str) -> Fault | None:
        """Return what goes wrong with a request, and count it."""
        with self._lock:
            for fault in self._queue:
                if fault.verb in (verb, "*") and fault.resource in (resource, "*"):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._queue.remove(fault)
                    return fault
        return None

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._queue.clear()

    @property
    def left(self) -> int:
        """How many faults have not happened yet."""
        with self._lock:
            return len(self._queue)
