"""YAML text to plain data, each key and value with its place; `hubc.source` says what is read, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from hubc.errors import SpecError
from hubc.positions import Place, Text
from hubc.scalars import plain_scalar
from hubc.syntax import BRACES, BRACES_HELP, ODD_SPACE, odd_space, syntax_error

if TYPE_CHECKING:
    from hubc.diagnostics import Diagnostic
    from hubc.positions import Span

MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_ERRORS = 1000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: Text) -> tuple[Any, Place | None]:
    """Return the data of a document and its places; None where there is no document.

    Raises SpecError with every fault.
    """
    reader = _Reader(text)
    try:
        reader.run(_LOADER(text.text))
    except yaml.MarkedYAMLError as error:
        reader.errors.append(syntax_error(text, error))
    if reader.errors:
        raise SpecError(reader.errors)
    return reader.data, reader.place


def quoted_spans(text: Text) -> list[Span]:
    """Return where the quoted and block scalars of a document that can be read stand: there, `#` starts no comment."""
    spans: list[Span] = []
    for event in yaml.parse(text.text, Loader=_LOADER):
        if type(event) is ScalarEvent and event.style:
            marks: tuple[Any, Any] = event.start_mark, event.end_mark
            start, end = marks[0].index, marks[1].index
            spans.append((text.text.find("\n", start) if event.style in "|>" else start, end))
    return spans


class _Open:
    """A collection whose end has not been read."""

    __slots__ = ("anchor", "children", "expects_key", "is_mapping", "key", "key_span", "start", "value")

    def __init__(self, *, is_mapping: bool, start: int, anchor: str | None) -> None:
        self.value: Any = {} if is_mapping else []
        self.children: dict[str | int, Place] = {}
        self.is_mapping = self.expects_key = is_mapping
        self.start = start
        self.anchor = anchor
        self.key = ""
        self.key_span: Span | None = None


class _Reader:
    """Builds data from parser events with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.data: Any = None
        self.place: Place | None = None
        self.errors: list[Diagnostic] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, Any] = {}
        self.num_nodes = 0
        self.num_documents = 0
        self.may_hold_odd_space = not text.text.isascii()

    def run(self, parser: Any) -> None:
        next_event = parser.get_event
        while (kind := type(event := next_event())) is not StreamEndEvent:
            span = event.start_mark.index, event.end_mark.index
            if kind is ScalarEvent:
                self.scalar(event, span)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self.open(event, span)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self.close(span)
            elif kind is AliasEvent:
                self.alias(event, span)
            elif kind is DocumentStartEvent:
                self.document(span)

    def fail(self, span: Span, rule: str, message: str, help: str) -> None:
        self.errors.append(self.text.diagnostic(span, rule, message, help))
        if len(self.errors) >= MAX_ERRORS:
            raise SpecError(self.errors)

    def stop(self, span: Span, rule: str, message: str, help: str) -> NoReturn:
        self.fail(span, rule, message, help)
        raise SpecError(self.errors)

    def document(self, span: Span) -> None:
        self.num_documents += 1
        if self.num_documents > 1:
            self.stop(span, "yaml-several-documents", "a second document starts here", "keep one spec in a file")

    def count(self, span: Span, number: int = 1) -> None:
        self.num_nodes += number
        if self.num_nodes > MAX_NODES:
            self.stop(span, "yaml-too-large", f"the file expands to more than {MAX_NODES} values",
                      "use fewer anchors and aliases, or split the file")  # fmt: skip

    def tag(self, span: Span) -> None:
        self.fail(span, "yaml-tag", "a tag is not allowed here", "remove what starts with '!'")

    def nest(self, span: Span, levels: int = 1) -> None:
        if len(self.stack) + levels > MAX_DEPTH:
            self.stop(span, "yaml-too-deep", f"values nest deeper than {MAX_DEPTH} levels", "flatten the spec")

    def open(self, event: yaml.CollectionStartEvent, span: Span) -> None:
        self.count(span)
        self.nest(span)
        if event.tag:
            self.tag(span)
        if self.stack and self.stack[-1].expects_key:
            if self.text.text[span[0] - 1 : span[0] + 1] == "{{":
                self.stop((span[0] - 1, span[0] + 1), "template-braces", BRACES, BRACES_HELP)
            self.stop(span, "yaml-key", "a key is not text",
                      "use plain text as key; quote text that starts with '{' or '['")  # fmt: skip
        self.stack.append(_Open(is_mapping=type(event) is MappingStartEvent, start=span[0], anchor=event.anchor))

    def close(self, span: Span) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = done.value
        self.put(done.value, (done.start, span[1]), done.children)

    def scalar(self, event: yaml.ScalarEvent, span: Span) -> None:
        self.count(span)
        if event.tag and event.tag != "tag:yaml.org,2002:str":
            self.tag(span)
        value: Any = event.value
        if self.may_hold_odd_space and not event.style and (odd := ODD_SPACE.search(self.text.text[slice(*span)])):
            end = span[0] + odd.end()
            self.fail((end - 1, end), "yaml-character", *odd_space(odd[0][-1]))
        if self.stack and self.stack[-1].expects_key:
            self.key(value, span)
            return
        if event.implicit[0]:  # neither quoted nor tagged
            try:
                value = plain_scalar(value)
            except ValueError as error:
                self.fail(span, "yaml-number", str(error), "write a finite decimal number, or quote it as text")
        if event.anchor:
            self.anchors[event.anchor] = value
        self.put(value, span, None)

    def key(self, name: str, span: Span) -> None:
        top = self.stack[-1]
        if name == "<<":
            self.fail(span, "yaml-merge-key", "the merge key '<<' is not part of YAML 1.2", "write the keys out")
        elif name in top.value:
            line, _ = self.text.position((top.children[name].key or span)[0])
            self.fail(span, "yaml-duplicate-key", f"this key is already used on line {line}", "remove one of the two")
        top.key, top.key_span, top.expects_key = name, span, False

    def alias(self, event: yaml.AliasEvent, span: Span) -> None:
        if self.stack and self.stack[-1].expects_key:
            self.stop(span, "yaml-key", "an alias cannot be a key", "write the key out")
        if event.anchor not in self.anchors:
            self.stop(span, "yaml-anchor", "no anchor of this name was completed before this alias",
                      "define the anchor first, and do not refer to it from inside itself")  # fmt: skip
        value = self.anchors[event.anchor or ""]
        size, depth = _extent(value)
        self.count(span, size)
        self.nest(span, depth)
        self.put(copied(value), span, None)

    def put(self, value: Any, span: Span, children: dict[str | int, Place] | None) -> None:
        """Add a finished value to the collection that it stands in."""
        if not self.stack:
            self.data, self.place = value, Place(self.text, None, span, children)
            return
        top = self.stack[-1]
        if top.is_mapping:
            top.value[top.key] = value
            top.children[top.key] = Place(self.text, top.key_span, span, children)
            top.expects_key = True
        else:
            top.children[len(top.value)] = Place(self.text, None, span, children)
            top.value.append(value)


def _extent(value: Any) -> tuple[int, int]:
    """Return how many values there are in a value, itself included, and how many levels its collections nest."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return 1, 0
    extents = [_extent(item) for item in inner]
    return 1 + sum(size for size, _ in extents), 1 + max((depth for _, depth in extents), default=0)


def copied(value: Any) -> Any:
    """Return the value with collections of its own."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value
