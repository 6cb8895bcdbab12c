"""Doing several things at once, each of which may hang for good."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Result = TypeVar("Result")
AT_ONCE = 8
LIMIT_SECONDS = 60.0
"""Time for one thing: a few requests that all take as long as they may."""


def results(
    works: Sequence[Callable[[], Result]], limit_seconds: float = LIMIT_SECONDS, at_once: int = AT_ONCE
) -> Iterator[Result | None]:
    """Yield what each work returns, in order; None for one that takes too long, which is left to itself.

    No socket's time limit counts for looking up names, or for servers that send a byte now and then.
    """
    for start in range(0, len(works), at_once):
        deadline = time.monotonic() + limit_seconds
        for running in [_Running(work) for work in works[start : start + at_once]]:
            yield running.result(deadline)


class _Running(Generic[Result]):
    """A work in a thread that does not keep the process alive."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._found: list[Result] = []
        self._thread = threading.Thread(target=lambda: self._found.append(work()), daemon=True)
        self._thread.start()

    def result(self, deadline: float) -> Result | None:
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._found[0] if self._found else None
