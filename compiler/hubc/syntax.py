"""What a YAML parser stumbled over, in the words of the person who wrote the file: told by the text around the place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.positions import Text

_SPACE = "[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]"
ODD_SPACE = re.compile(rf"^[ ]*(?:(?:- *)?[\w-]{{1,60}}: *|- *)?{_SPACE}", re.MULTILINE)
"""A space of another kind where a key starts or ends; inside a text it may be meant."""
BRACES = "'{{' would be a template tag, and a spec cannot hold one"
BRACES_HELP = "write the value itself; quoting the braces does not help"

_TEMPLATE = re.compile(r"(?:^|[:,\[-])[ ]*\{\{")
_NO_SPACE = re.compile(r"[ ]*(?:- )*([A-Za-z_][\w-]{0,60})(:)[^\s:/]")
_NO_COLON = re.compile(r"[ ]*(?:- )*([A-Za-z_][\w-]{0,60})( +)[^\s:#][^:]*$")
_NO_SPACE_DASH = re.compile(r"[ ]*(-)[^\s-]")
_CLOSES = {"{": "}", "[": "]"}

Found = tuple[tuple[int, int], str, str]
"""Where it is, what is wrong, and what to do."""


def syntax_error(text: Text, error: yaml.MarkedYAMLError) -> Diagnostic:
    """Return the diagnostic of a fault that ends the reading of a text."""
    fault = _Fault(text.text, error)
    if braces := _TEMPLATE.search(fault.line):
        end = fault.first + braces.end()
        return text.diagnostic((end - 2, end), "template-braces", BRACES, BRACES_HELP)
    for line_start, line in (fault.before, (fault.first, fault.line)):
        if odd := ODD_SPACE.search(line):
            end = line_start + odd.end()
            return text.diagnostic((end - 1, end), "yaml-character", *odd_space(odd[0][-1]))
    kinds: tuple[Callable[[_Fault], Found | None], ...] = (_tab, _quote, _bracket, _key, _ended, _start, _indentation)
    span, message, remedy = next(filter(None, (kind(fault) for kind in kinds)), None) or (
        (fault.at, fault.at + 1), " ".join(filter(None, (error.context, error.problem))),
        "mend the YAML syntax; quote text that holds ': ', ' #', '{', '[', '*' or '&'")  # fmt: skip
    return text.diagnostic(span, "yaml-syntax", message, remedy)


def odd_space(character: str) -> tuple[str, str]:
    """Return message and remedy for a space that YAML takes for a letter."""
    return f"the character U+{ord(character):04X} looks like a space and is none", "replace it with an ordinary space"


class _Fault:
    """Where the parser stopped, and the line there and the one before it that says something."""

    def __init__(self, text: str, error: yaml.MarkedYAMLError) -> None:
        self.text = text
        self.problem, self.context = error.problem or "", error.context or ""
        self.at = _index(error.problem_mark)
        self.opened = _index(error.context_mark)
        stopped = self.opened if "simple key" in self.context else self.at
        self.first = text.rfind("\n", 0, stopped) + 1
        self.line = _line_at(text, self.first)
        self.levels: list[int] = []
        """Indents of the lines that this one may continue, the nearest first."""
        self.before = (self.first, "")
        self._look_back()

    def _look_back(self) -> None:
        end = self.first - 1
        while end >= 0 and self.levels[-1:] != [0]:
            start = self.text.rfind("\n", 0, end) + 1
            line = self.text[start:end].removesuffix("\r")
            end = start - 1
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            if not self.levels:
                self.before = (start, line)
            if not self.levels or _indent(line) < self.levels[-1]:
                self.levels.append(_indent(line))

    @property
    def is_first(self) -> bool:
        """Whether nothing but spaces stands before the place on its line."""
        return not self.text[self.first : self.at].strip()


def _tab(fault: _Fault) -> Found | None:
    if "tab character" not in fault.problem and fault.text[fault.at : fault.at + 1] != "\t":
        return None
    return (fault.at, fault.at + 1), "a tab indents this line", "indent with spaces; YAML does not allow tabs"


def _quote(fault: _Fault) -> Found | None:
    if "quoted scalar" not in fault.context or "end of stream" not in fault.problem:
        return None
    mark = fault.text[fault.opened]
    return (fault.opened, fault.opened + 1), "this quote is never closed", f"end the text with {mark}"


def _bracket(fault: _Fault) -> Found | None:
    if fault.context == "while parsing a flow node" and not fault.text[fault.at :].strip():
        opened = [_index(event.start_mark) for event in _open_collections(fault.text)]
    else:
        opened = [fault.opened] if "flow" in fault.context else []
    opening = fault.text[opened[-1] : opened[-1] + 1] if opened else ""
    if opening not in _CLOSES:
        return None
    closing, at = _CLOSES[opening], fault.text[fault.at : fault.at + 1]
    if fault.at < len(fault.text) and "\n" not in fault.text[opened[-1] : fault.at]:
        if at and at in "]}":
            return (fault.at, fault.at + 1), f"'{opening}' is closed by '{at}'", f"write '{closing}' here"
        if at not in ("", "\n", "\r"):
            return (fault.at, fault.at + 1), "a ',' is missing before this", f"put ',' between what '{opening}' holds"
    return (opened[-1], opened[-1] + 1), f"this '{opening}' is never closed", f"add the '{closing}' that ends it"


def _key(fault: _Fault) -> Found | None:
    """Find a key without ':' or its space: on the line of the fault, or on the one before, which it seems to continue."""
    if "simple key" in fault.context:
        start, line = fault.first, fault.line
    elif "mapping values" in fault.problem and ":" not in fault.text[fault.first : fault.at]:
        start, line = fault.before
    else:
        return None
    if found := _NO_SPACE.match(line):
        return (start + found.start(1), start + found.end(2)), "a space is missing after ':'", f"write '{found[1]}: '"
    if found := _NO_COLON.match(line):
        return (start + found.start(1), start + found.end(1)), "a ':' is missing after the key", f"write '{found[1]}: '"
    if found := _NO_SPACE_DASH.match(line):
        return (start + found.start(1), start + found.end(1)), "a space is missing after '-'", "write '- ' before each item"
    return None


def _ended(fault: _Fault) -> Found | None:
    """Find text after a closing quote, which may close a quote that was opened lines before; and ': ' in a value."""
    if "mapping values" in fault.problem and ":" in fault.text[fault.first : fault.at]:
        return (fault.at, fault.at + 1), "': ' stands inside a value", "quote the value"
    if "expected key" not in fault.problem or fault.is_first:
        return None
    last = next(reversed(list(_events(fault.text))), None)
    if not isinstance(last, yaml.ScalarEvent) or last.style not in ("'", '"'):
        return None
    start, end = _index(last.start_mark), _index(last.end_mark)
    if "\n" in fault.text[start:end]:
        return (start, start + 1), "this quote is not closed on its line", f"end the text with {last.style}"
    double = "write '' for ' in single quotes" if last.style == "'" else 'write \\" for " in double quotes'
    return (fault.at, fault.at + 1), "text stands after the closing quote", f"remove it, or move the quote; {double}"


def _start(fault: _Fault) -> Found | None:
    """Find a character that means something else than text."""
    character = fault.text[fault.at : fault.at + 1]
    if "cannot start any token" in fault.problem and character.strip():
        return (fault.at, fault.at + 1), f"text cannot start with '{character}'", "quote the text"
    if "expected key" in fault.problem and character and character in "]}":
        return (fault.at, fault.at + 1), f"'{character}' closes nothing", "remove it, or quote the text"
    if "escape character" in fault.problem:
        return (fault.at, fault.at + 2), "this is no escape of YAML", r"use single quotes, or write '\\' for a backslash"
    return None


def _indentation(fault: _Fault) -> Found | None:
    if not fault.levels or not ("did not find expected" in fault.problem or "mapping values" in fault.problem):
        return None
    own = _indent(fault.line)
    span = fault.first + own, fault.first + len(fault.line)
    if own in fault.levels:
        if "'-'" not in fault.problem:
            return None
        return span, "this line stands among the items of a list", "start it with '- ', or indent it less"
    near = min(abs(level - own) for level in fault.levels)
    others = " or ".join(str(level) for level in sorted(fault.levels) if abs(level - own) == near)
    return (span, f"this line is indented by {own} space{'' if own == 1 else 's'}; the lines before it by {others}",
            "indent all keys of one section alike")  # fmt: skip


def _events(text: str) -> Iterator[Any]:
    """Yield what the parser reads before the fault."""
    try:
        yield from yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:  # this is the fault that is being told
        return


def _open_collections(text: str) -> list[Any]:
    opened = []
    for event in _events(text):
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
    return opened


def _index(mark: Any) -> int:
    return mark.index if mark else 0


def _line_at(text: str, first: int) -> str:
    return text[first:].partition("\n")[0].removesuffix("\r")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
