"""Diagnostics for people: the place, what is wrong, the line with the fault marked, and what to do about it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from hubc.colours import Colour, paint
from hubc.printable import printable
from hubc.rules import GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.diagnostics import Diagnostic
    from hubc.rules import Severity

MAX_SHOWN = 100
"""People stop reading long before; programs get all of them."""
MAX_CHARACTERS = 100
"""Longest excerpt of a line."""
BEFORE = 40
"""Characters of a long line that are shown before the fault."""
TAB = "    "
WAITING = "checks over the whole plan wait until these are mended\n"

_STRUCTURE = {rule.id for group in ("Reading the file", "Its shape") for rule in GROUPS[group] if not rule.silenceable}
"""Rules that leave no spec to plan when they are broken."""

_COLOURS: dict[Severity, Colour] = {"error": "red", "warning": "yellow"}


def as_text(diagnostics: Sequence[Diagnostic], *, colour: bool = False) -> str:
    """Return every diagnostic, up to MAX_SHOWN of them, how many there are, and whether there may be more."""
    parts = [_diagnostic(found, colour) for found in diagnostics[:MAX_SHOWN]]
    if len(diagnostics) > MAX_SHOWN:
        parts.append(f"and {len(diagnostics) - MAX_SHOWN} more; all of them: hubc validate --format json\n")
    waits = any(found.rule in _STRUCTURE for found in diagnostics)
    last = f"{summary(diagnostics)}\n{WAITING if waits else ''}"
    return "\n".join([*parts, last]) if diagnostics else ""


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """Return how many errors and warnings there are, in how many files."""
    number = Counter(found.severity for found in diagnostics)
    severities: tuple[Severity, ...] = ("error", "warning")
    told = [_count(number[severity], severity) for severity in severities if number[severity]]
    return f"{' and '.join(told)} in {_count(len({found.file for found in diagnostics}), 'file')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _diagnostic(found: Diagnostic, colour: bool) -> str:
    kind = _COLOURS[found.severity]
    place = paint(f"{found.file}:{found.line}:{found.column}:", "bold", colour)
    head = f"{place} {paint(found.severity, kind, colour)}: {found.message} [{found.rule}]"
    margin = " " * len(str(found.line))
    bar, remedy = paint("|", "blue", colour), paint("= help:", "cyan", colour)
    lines = [head]
    if found.excerpt.strip():
        shown, before, marked = _excerpt(found)
        number = paint(str(found.line), "blue", colour)
        caret = paint("^" * marked, kind, colour)
        lines += [f"{margin} {bar}", f"{number} {bar} {shown}", f"{margin} {bar} {' ' * before}{caret}"]
    lines.append(f"{margin} {remedy} {found.help}")
    return "\n".join(lines) + "\n"


def _excerpt(found: Diagnostic) -> tuple[str, int, int]:
    """Return the line, cut to a readable length, and the cells before the fault and those that it takes."""
    line = found.excerpt.rstrip()
    start = found.column - 1
    first = max(0, start - BEFORE) if len(line) > MAX_CHARACTERS else 0
    last = min(len(line), first + MAX_CHARACTERS)
    head, tail = ("…" if first else "", "…" if last < len(line) else "")
    end = max(start, min(start + found.length, last))
    shown = head + "".join(map(_shown, line[first:last])) + tail
    return shown, len(head) + _cells(line[first:start]), max(1, _cells(line[start:end]))


def _shown(character: str) -> str:
    return TAB if character == "\t" else printable(character)


def _cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(_width(c) for character in text for c in _shown(character))


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
