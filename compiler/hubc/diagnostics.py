"""What is wrong in a spec, where, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_SHOWN = 100
"""People stop reading long before; programs get all of them."""


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One finding at a place in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    help: str

    def __post_init__(self) -> None:
        for name in ("file", "message", "help"):
            object.__setattr__(self, name, printable(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.rule}: {self.message}\n    help: {self.help}"


def as_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Return two lines for each diagnostic, up to MAX_SHOWN of them, and how many more there are."""
    lines = [str(diagnostic) for diagnostic in diagnostics[:MAX_SHOWN]]
    if len(diagnostics) > MAX_SHOWN:
        lines.append(f"and {len(diagnostics) - MAX_SHOWN} more; all of them: hubc validate --format json")
    return "\n".join(lines)


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return a JSON array with one object for each diagnostic."""
    return json.dumps([asdict(diagnostic) for diagnostic in diagnostics], indent=2)


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return the remedy for an unknown word: the nearest allowed one, or all of them."""
    known = sorted(allowed)
    near = get_close_matches(word, known, n=1, cutoff=0.7)
    return f"did you mean '{near[0]}'?" if near else f"use one of: {', '.join(known)}"
