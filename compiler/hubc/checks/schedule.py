"""Rules over recurring runs and who is told of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hubc.checks.view import Finding
from hubc.diagnostics import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View

RULE = "schedule"
HOW = "write minute, hour, day of the month, month and day of the week (0 is Sunday), as in '0 3 * * 1'"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (("minute", 0, 59, ()), ("hour", 0, 23, ()), ("day of the month", 1, 31, ()), ("month", 1, 12, MONTHS),
          ("day of the week", 0, 6, DAYS))  # fmt: skip
"""Name, lowest and highest value, and words of each field, as Argo reads them (https://pkg.go.dev/github.com/robfig/cron/v3)."""
LAST_DAYS = dict(zip(range(1, 13), (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), strict=True))
_NUMBER = re.compile("[0-9]{1,4}")


def cron(view: View) -> Iterator[Finding]:
    """`schedule`: the cluster would refuse it, or never start a run."""
    schedule = view.spec.schedule
    if schedule is None:
        return
    if not schedule.cron.startswith("@"):
        try:
            values = [_values(text, *field) for text, field in zip(schedule.cron.split(), FIELDS, strict=True)]
            days, months = values[2], values[3]
            if len(values[4]) == len(DAYS) and min(days) > max(LAST_DAYS[month] for month in months):
                raise ValueError(f"day {min(days)} never comes in the months that it names")
        except ValueError as error:
            yield Finding(("spec", "schedule", "cron"), RULE, f"'{schedule.cron}' is no schedule: {error}", HOW)
    known = _unless_it_exists(schedule.timezone)
    if known:
        near = nearest(schedule.timezone, known)
        remedy = f"did you mean '{near}'?" if near else "write an IANA name, as in 'Europe/Berlin' or 'UTC'"
        yield Finding(("spec", "schedule", "timezone"), RULE, f"there is no time zone '{schedule.timezone}'", remedy)


def progress(view: View) -> Iterator[Finding]:
    """`ineffective-parameter`: an interval between messages that are never sent."""
    for number, webhook in enumerate(view.spec.notify):
        if "interval_seconds" in webhook.model_fields_set and "progress" not in webhook.events:
            yield Finding(("spec", "notify", number, "interval_seconds"), "ineffective-parameter",
                          "'interval_seconds' has no effect: 'progress' is not among the events",
                          "add 'progress' to 'events', or remove it", at_key=True)  # fmt: skip


def _values(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> set[int]:
    """Return the values of one field of a schedule.

    Raises ValueError with the reason if it is none.
    """
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        if slash and (not _NUMBER.fullmatch(step) or not int(step)):
            raise ValueError(f"the {name} '{part}' needs a number above 0 after '/'")
        first, dash, last = span.partition("-")
        start, end = low, high
        if span not in ("*", "?"):
            start = _number(first, name, low, high, words)
            end = _number(last, name, low, high, words) if dash else high if slash else start
        if end < start:
            raise ValueError(f"the {name} '{part}' ends before it starts")
        found.update(range(start, end + 1, int(step or 1)))
    return found


def _number(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> int:
    if text.lower() in words:
        return words.index(text.lower()) + low
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(f"the {name} '{text}' is not from {low} to {high}")
    return int(text)


def _unless_it_exists(name: str) -> set[str]:
    """Return all time zones, unless this is one of them; none on a machine without a database of them."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return available_timezones()
    return set()
