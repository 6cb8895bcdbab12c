"""What was looked up in the repository, remembered while many specs are checked: most of them share it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

A = TypeVarTuple("A")
R = TypeVar("R")
MAX_RESULTS = 1000
"""Results that are kept at once."""

_results: ContextVar[dict[Any, Any] | None] = ContextVar("results", default=None)


@contextmanager
def remembering() -> Iterator[None]:
    """Let functions that are `remembered` run once for the same arguments; what changes meanwhile is not noticed."""
    token = _results.set({})
    try:
        yield
    finally:
        _results.reset(token)


def remembered(function: Callable[[*A], R]) -> Callable[[*A], R]:
    """Wrap a function of hashable positional arguments; outside of `remembering`, it runs every time."""

    @wraps(function)
    def wrapper(*arguments: *A) -> R:
        results = _results.get()
        if results is None:
            return function(*arguments)
        key = (function, *arguments)
        if key not in results:
            if len(results) >= MAX_RESULTS:
                results.clear()
            results[key] = function(*arguments)
        return cast("R", results[key])

    return wrapper
