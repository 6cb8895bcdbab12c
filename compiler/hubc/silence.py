"""Comments that silence a rule for one line: `learning_rate: 1e-3  # hubc: allow learning-rate-high -- it converges`."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from hubc.diagnostics import Diagnostic, did_you_mean, has_errors
from hubc.printable import printable
from hubc.reader import quoted_spans
from hubc.rules import GROUPS, HOW_TO_SILENCE, RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from hubc.positions import Span, Text
    from hubc.source import Source

MAX_SILENCES = 100
"""Rules that one file can silence."""
MAX_SHOWN = 60
"""Characters of an unknown rule."""

_MARK = "hubc: allow"
_COMMENT = re.compile(r"(?m)(?:^|(?<=[ \t]))#[ \t]*hubc: allow(?![^\s])(?P<rules>[^\r\n]*?)(?P<reason>[ \t]--[^\r\n]*)?\r?$")
_RULE = re.compile(r"[^\s,]+")
_SOMETIMES = {"duplicate-name", "duplicate-target", "insecure-url",
              *(rule.id for rule in GROUPS["What the platform can do"])}  # fmt: skip
"""Rules that depend on the platform, on other specs or on the machine: that one is not broken now says little."""


@dataclass(frozen=True)
class _Silence:
    """A rule that a comment silences in one line of a file; the rule's name stands at `span`."""

    text: Text
    span: Span
    rule: str
    line: int

    @property
    def target(self) -> tuple[str, int, str]:
        return printable(self.text.file), self.line, self.rule


def silence(diagnostics: Sequence[Diagnostic], sources: Iterable[Source]) -> list[Diagnostic]:
    """Return the diagnostics that no comment in the sources' files silences, and what is wrong with such comments.

    That a comment silences nothing is told of complete specs without errors: in others, not every rule was asked.
    """
    sources = list(sources)
    read = _read(sources)
    silences = [item for item in read if isinstance(item, _Silence)]
    faults = [item for item in read if isinstance(item, Diagnostic)]
    targets = {item.target for item in silences}
    kept = [found for found in diagnostics if _target(found) not in targets]
    used = {_target(found) for found in diagnostics} & targets
    complete = {source.text for source in sources if _is_complete(source, kept)}
    unused = [item for item in silences if item.text in complete and item.target not in used and item.rule not in _SOMETIMES]
    return [*kept, *faults, *(_unused(item) for item in unused)]


def remaining(diagnostics: Sequence[Diagnostic], sources: Iterable[Source]) -> list[Diagnostic]:
    """Return the diagnostics that no comment in the sources' files silences, and say nothing of the comments."""
    targets = {item.target for item in _read(sources) if isinstance(item, _Silence)}
    return [found for found in diagnostics if _target(found) not in targets]


def _read(sources: Iterable[Source]) -> list[_Silence | Diagnostic]:
    texts = {text.file: text for source in sources for text in (source.text, *source.bases.values())}
    return [item for text in texts.values() if _MARK in text.text for item in _comments(text)]


def _target(found: Diagnostic) -> tuple[str, int, str]:
    return found.file, found.line, found.rule


def _is_complete(source: Source, remaining: list[Diagnostic]) -> bool:
    files = {printable(text.file) for text in (source.text, *source.bases.values())}
    return source.data.get("partial") is not True and not has_errors(found for found in remaining if found.file in files)


def _unused(item: _Silence) -> Diagnostic:
    return item.text.diagnostic(item.span, "unused-silence", f"'{item.rule}' is silenced here, and nothing breaks it",
                                "remove the comment, or put it on the line at fault or alone on the line above")  # fmt: skip


def _comments(text: Text) -> Iterator[_Silence | Diagnostic]:
    """Yield the silencings in a file, and what is wrong with them."""
    spans = quoted_spans(text)
    number = 0
    for comment in _COMMENT.finditer(text.text):
        before = bisect_right(spans, comment.start(), key=lambda span: span[0])
        if before and comment.start() < spans[before - 1][1]:
            continue  # it is text, not a comment
        for item in _comment(text, comment):
            number += 1
            if number > MAX_SILENCES:
                yield text.diagnostic(comment.span(), "not-silenceable", f"a file can silence {MAX_SILENCES} rules",
                                      "mend what the rules find")  # fmt: skip
                return
            yield item


def _comment(text: Text, comment: re.Match[str]) -> Iterator[_Silence | Diagnostic]:
    line, column = text.position(comment.start())
    is_alone = not text.text[comment.start() - column + 1 : comment.start()].strip()
    rules = list(islice(_RULE.finditer(text.text, *comment.span("rules")), MAX_SILENCES + 1))
    if not rules:
        yield text.diagnostic(comment.span(), "unknown-silence", "no rule is named", f"write: {HOW_TO_SILENCE}")
    if not (comment["reason"] or "").strip(" \t-"):
        yield text.diagnostic(comment.span(), "silence-without-reason", "no reason is given", f"write: {HOW_TO_SILENCE}")
        return
    for found in rules:
        rule = found[0]
        if rule in RULES and RULES[rule].silenceable:
            yield _Silence(text, found.span(), rule, line + is_alone)
        elif rule in RULES:
            yield text.diagnostic(found.span(), "not-silenceable", f"'{rule}' cannot be silenced", "mend what it finds")
        else:
            known = [name for name, known in RULES.items() if known.silenceable]
            rule = rule[:MAX_SHOWN]
            yield text.diagnostic(found.span(), "unknown-silence", f"unknown rule '{rule}'", did_you_mean(rule, known))
