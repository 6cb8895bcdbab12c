"""Telling somebody something over a network that fails now and then."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES = 3
PAUSE_SECONDS = 1.0
"""Pause before a second try; doubled before the next one."""
LONGEST_PAUSE_SECONDS = 120.0
"""Who asks for a longer pause is left for another time."""


@dataclass(frozen=True)
class Fault:
    """Why somebody was not told."""

    text: str
    may_pass: bool
    """Whether another try could do better."""
    pause_seconds: float | None = None
    """How long the receiver wants to be left alone, if it said so."""


def deliver(attempt: Callable[[], Fault | None]) -> Fault | None:
    """Try until it works, or cannot, or was tried often enough; return the last fault, or nothing."""
    for number in range(TRIES):
        fault = attempt()
        if fault is None or not fault.may_pass or number == TRIES - 1:
            return fault
        pause = PAUSE_SECONDS * 2**number if fault.pause_seconds is None else fault.pause_seconds
        if pause > LONGEST_PAUSE_SECONDS:
            return fault
        time.sleep(pause)
    return None


def retry_after(value: str | None) -> float | None:
    """Return the seconds that a header `Retry-After` asks for: a number, or the time until a date."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
