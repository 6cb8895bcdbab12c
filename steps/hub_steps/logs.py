"""Reading what steps write: events of the step contract between the lines of libraries."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from hub_steps.printable import printable

ERROR = "error: "
"""How a step's own last word begins."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Tail:
    """The end of a log: its last lines for people, and the last error that the step itself told."""

    lines: list[str]
    error: str


def tail(text: str, number: int = 15) -> Tail:
    """Return the end of a log, without its progress."""
    lines = text.splitlines()
    errors = [_plain(line.removeprefix(ERROR)) for line in lines if line.startswith(ERROR)]
    shown = [readable(line) for line in lines if (parse_event(line) or {}).get("hubc") != "progress"]
    return Tail(shown[-number:], errors[-1] if errors else "")


def parse_event(line: str) -> dict[str, Any] | None:
    """Return the event in a log line, or None if it is an ordinary line."""
    if not line.startswith('{"hubc"'):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("hubc"), str) else None


def readable(line: str) -> str:
    """Return a log line for people: an event as a sentence, any other line as it is, without what steers a terminal."""
    event = parse_event(line) or {}
    match event.get("hubc"):
        case "message":
            return _plain(str(event.get("text")))
        case "progress":
            return progress_text(event)
        case _:
            return _plain(line)


def progress_text(event: dict[str, Any]) -> str:
    """Return a progress event as text: how far, and the newest figures."""
    figures = event.get("metrics")
    figures = figures if isinstance(figures, dict) else {}
    shown = ", ".join(f"{str(name).replace('_', ' ')} {value:.4g}" for name, value in figures.items() if _is_number(value))
    return _plain(f"{event.get('done')}/{event.get('total')} {event.get('unit')}" + (f", {shown}" if shown else ""))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _plain(text: str) -> str:
    """Return `text` safe to print, without colours and tabs."""
    return printable(_COLOUR.sub("", text).replace("\t", " "))
