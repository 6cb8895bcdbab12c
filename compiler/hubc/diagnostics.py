"""What is wrong in a spec, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub_steps.credentials import mask
from hubc.printable import printable
from hubc.rules import RULES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, order=True)
class Diagnostic:
    """One finding at a place in a file; `line` and `column` count from 1. No text of it repeats a credential."""

    file: str
    line: int
    column: int
    rule: str
    message: str
    help: str
    length: int = field(default=1, compare=False)
    """Characters of the line that are at fault, from the column on."""
    excerpt: str = field(default="", compare=False)
    """The line, without its end; empty when there is none to show."""
    is_refused: bool = field(default=False, compare=False)
    """Whether it stops what is to be done now, although its rule only warns."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", printable(self.file))
        for name in ("message", "help"):
            object.__setattr__(self, name, printable(mask(getattr(self, name))))
        object.__setattr__(self, "excerpt", mask(self.excerpt))

    @property
    def severity(self) -> Severity:
        """Whether it stops anything; its rule says so, unless it is refused."""
        return "error" if self.is_refused else RULES[self.rule].severity

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.rule}]"


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether any of them is more than a warning."""
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


def nearest(word: str, allowed: Iterable[str]) -> str | None:
    """Return the allowed word that was probably meant, if there is one: in another case, of another tool, or misspelt."""
    from difflib import get_close_matches

    from hubc.vocabulary import meant_by

    known = {name.lower(): name for name in sorted(allowed)}
    lower = word.lower()
    if lower in known:
        return known[lower]
    if meant := meant_by(word):  # a word that looks like it is another thing: 'gpus' are not 'cpus'
        return next((known[name] for name in meant if name in known), None)
    near = get_close_matches(lower, known, n=1, cutoff=0.7)
    return known[near[0]] if near else None


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return the remedy for an unknown word: the nearest allowed one, or all of them."""
    known = sorted(allowed)
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else f"use one of: {', '.join(known)}"
