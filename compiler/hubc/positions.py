"""Where the keys and values of a document are written: what diagnostics point at."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import TypeAlias

from hub_steps.credentials import mask
from hubc.diagnostics import Diagnostic

MAX_EXCERPT = 200
"""Characters of a line that a diagnostic holds; it holds none of a line that is at fault further on."""

Location: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]
Span: TypeAlias = tuple[int, int]
"""The index of the first character, and of the first one after."""


class Text:
    """The text of one file; nothing is computed before the first diagnostic."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))][:-1]

    @cached_property
    def _end(self) -> int:
        """Where the last line that says something ends: a parser is surprised by the end of a file only after it."""
        return len(self.text.rstrip("\r\n"))

    def position(self, index: int) -> Position:
        """Return the line and column of the character at `index`, counted from 1."""
        index = min(index, self._end)
        line = bisect_right(self._starts, index)
        return line, index - self._starts[line - 1] + 1

    def diagnostic(self, span: Span, rule: str, message: str, help: str) -> Diagnostic:
        """Return a diagnostic about what stands at `span`; of several lines, it shows the first."""
        line, column = self.position(span[0])
        start, end = min(span[0], self._end), span[1]
        first = self._starts[line - 1]
        last = self._starts[line] - 1 if line < len(self._starts) else len(self.text)
        if end > last:
            end = start + len(self.text[start : min(last, start + MAX_EXCERPT)].partition(" #")[0].rstrip())
        length = max(1, min(end, first + MAX_EXCERPT) - start)
        hidden = start - first if rule == "secret-literal" else last
        shown = column <= MAX_EXCERPT and not self._holds_private_key
        excerpt = _excerpt(self.text[first : min(last, first + 2 * MAX_EXCERPT)], hidden) if shown else ""
        return Diagnostic(self.file, line, column, rule, message, help, length, excerpt)

    @cached_property
    def _holds_private_key(self) -> bool:
        """Whether a line may be part of a credential and not look like one."""
        return "PRIVATE KEY" in self.text


def _excerpt(line: str, hidden: int) -> str:
    """Return the start of a line, with stars from column `hidden` on, or for a credential that the cut would disguise."""
    line = line.removesuffix("\r")
    line = line[:hidden] + "*" * len(line[hidden:])
    return line if len(line) <= MAX_EXCERPT else mask(line)[:MAX_EXCERPT]


class Place:
    """Where a value stands, the key before it, and the values in it; None where these are not written, as in an alias."""

    __slots__ = ("children", "key", "span", "text")

    def __init__(self, text: Text, key: Span | None, span: Span, children: dict[str | int, Place] | None) -> None:
        self.text = text
        self.key = key
        self.span = span
        self.children = children

    def child(self, key: str | int) -> Place:
        """Return the place of a value in this one, which for one that is not written is this place."""
        return self.children[key] if self.children is not None else self
