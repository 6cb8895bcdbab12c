"""What this process and its children print, seen line by line on its way."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from hub_steps.contract import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_SECONDS = 5
"""Time for what child processes printed last; one that was left in the background may hold a stream open."""
MAX_LINE_BYTES = 1 << 16


@contextmanager
def copied(take: Callable[[bytes], None]) -> Iterator[None]:
    """Give every line of standard output and standard error, without secrets, to `take` as well as to where it went."""
    lock = threading.Lock()
    streams = [_Stream(descriptor, take, lock) for descriptor in (1, 2)]
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for stream in streams:
            stream.give_back()


class _Stream:
    """A descriptor that leads into a pipe, and a thread that reads the pipe."""

    def __init__(self, descriptor: int, take: Callable[[bytes], None], lock: threading.Lock) -> None:
        self.descriptor, self.take, self.lock = descriptor, take, lock
        self.outside = os.dup(descriptor)
        self.reading, writing = os.pipe()
        os.dup2(writing, descriptor)
        os.close(writing)
        self.thread = threading.Thread(target=self._pass_on, daemon=True)
        self.thread.start()

    def give_back(self) -> None:
        os.dup2(self.outside, self.descriptor)
        self.thread.join(LAST_SECONDS)

    def _pass_on(self) -> None:
        rest = b""
        while data := os.read(self.reading, MAX_LINE_BYTES):
            rest += data
            # A progress bar ends its lines with a carriage return.
            end = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
            if end or len(rest) > MAX_LINE_BYTES:
                end = end or len(rest)
                self._tell(rest[:end])
                rest = rest[end:]
        self._tell(rest)

    def _tell(self, data: bytes) -> None:
        text = redact(data.decode(errors="replace")).encode()
        with self.lock:
            with suppress(OSError):  # Nobody may be listening any more; the step goes on all the same.
                left = text
                while left:
                    left = left[os.write(self.outside, left) :]
            self.take(text)
