"""What is wrong in a spec, where, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


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
            object.__setattr__(self, name, _printable(getattr(self, name)))

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.rule}: {self.message}\n    help: {self.help}"


def _printable(text: str) -> str:
    """Return `text` on one line, so that what a spec or file name holds can neither forge output nor steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def as_text(diagnostics: Iterable[Diagnostic]) -> str:
    """Return one block of two lines for each diagnostic."""
    return "\n".join(map(str, diagnostics))


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Return a JSON array with one object for each diagnostic."""
    return json.dumps([asdict(diagnostic) for diagnostic in diagnostics], indent=2)


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return the remedy for an unknown word: the nearest allowed one, or all of them."""
    known = sorted(allowed)
    near = get_close_matches(word, known, n=1, cutoff=0.7)
    return f"did you mean '{near[0]}'?" if near else f"use one of: {', '.join(known)}"
