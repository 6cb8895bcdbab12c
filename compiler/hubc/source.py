"""YAML text to plain data, with the place of every key and value beside it.

The text is read as YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema): `1e-5` is a number, `on` and
`no` are text. Anything that would let a spec mean two things, or cost more to read than it looks, is a diagnostic.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from hubc.diagnostics import Diagnostic
from hubc.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 100_000

Location: TypeAlias = tuple[str | int, ...]
Position: TypeAlias = tuple[int, int]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_ALLOWED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)"
)
"""Control characters, and what a parser takes for a line break, or an editor shows elsewhere, and a reviewer cannot see."""
_CONFLICT = re.compile(r"^(<<<<<<< .*|=======|>>>>>>> .*)$", re.MULTILINE)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass
class Source:
    """The data of one YAML document and the positions of its keys and values, counted from 1."""

    file: str
    data: Any = None
    keys: dict[Location, Position] = field(default_factory=dict)
    values: dict[Location, Position] = field(default_factory=dict)

    def position(self, location: Location, *, key: bool = False) -> Position:
        """Return where `location` stands; for one that is not written, where its nearest parent stands."""
        for length in range(len(location), -1, -1):
            path = location[:length]
            if key and length == len(location) and path in self.keys:
                return self.keys[path]
            if path in self.keys and length < len(location):
                return self.keys[path]
            if path in self.values:
                return self.values[path]
        return (1, 1)

    def diagnostic(self, location: Location, rule: str, message: str, help: str, *, key: bool = False) -> Diagnostic:
        """Return a diagnostic that points at the value, or the key, at `location`."""
        return Diagnostic(self.file, *self.position(location, key=key), rule, message, help)


def parse(path: Path, *, name: str | None = None) -> Source:
    """Read one YAML file.

    Raises SpecError if the file cannot be read as a single YAML mapping.
    """
    file = name or str(path)
    return parse_text(_read(path, file), file)


def parse_text(text: str, file: str) -> Source:
    """Read one YAML document from text; `file` is the name that diagnostics show.

    Raises SpecError if the text is not a single YAML mapping.
    """
    reader = _Reader(file)
    if found := _NOT_ALLOWED.search(text):
        message, remedy = f"the character U+{ord(found[0]):04X} is not allowed", "remove it; end lines with LF or CRLF"
        raise SpecError([Diagnostic(file, *_place(text, found.start()), "yaml-character", message, remedy)])
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        reader.errors.append(_syntax_error(text, file, error))
    if not reader.errors and not isinstance(reader.source.data, dict):
        reader.errors.append(
            Diagnostic(file, 1, 1, "yaml-not-a-mapping", "the file holds no mapping", "start with 'apiVersion: hubc/v1'")
        )
    if reader.errors:
        raise SpecError(reader.errors)
    return reader.source


def _read(path: Path, file: str) -> str:
    def fail(message: str, help: str, line: int = 1) -> SpecError:
        return SpecError([Diagnostic(file, line, 1, "unreadable-file", message, help)])

    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise fail("the file is a symbolic link, which may lead out of the repository", "put the file itself here")
        if not stat.S_ISREG(mode):
            raise fail("this is not a regular file", "give the path of a YAML file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise fail(f"the file is larger than {MAX_BYTES} bytes", "split it into several specs")
    except OSError as error:
        raise fail(f"cannot read the file: {error.strerror}", "check the path and its permissions") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise fail(f"byte {raw[error.start]:#04x} is not UTF-8", "save the file as UTF-8", line) from None


def _syntax_error(text: str, file: str, error: yaml.MarkedYAMLError) -> Diagnostic:
    if conflict := _CONFLICT.search(text):
        place, message, remedy = _place(text, conflict.start()), "a merge conflict starts here", "resolve it"
        return Diagnostic(file, *place, "yaml-merge-conflict", message, remedy)
    mark, lines = error.problem_mark, text.split("\n")
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if line >= len(lines):  # the parser ends the last line itself
        line, column = len(lines) - 1, len(lines[-1])
    message = " ".join(filter(None, (error.context, error.problem)))
    shown = lines[line]
    remedy = "mend the YAML syntax; quote text that holds ': ', ' #', '{', '[', '*' or '&'"
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        remedy = "indent with spaces; YAML does not allow tabs"
    return Diagnostic(file, line + 1, column + 1, "yaml-syntax", message, remedy)


def _place(text: str, index: int) -> Position:
    """Return the line and column of the character at `index`."""
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


@dataclass
class _Open:
    """A collection whose end has not been read."""

    value: dict[str, Any] | list[Any]
    location: Location
    anchor: str | None
    key: str = ""
    expects_key: bool = True


class _Reader:
    """Builds data from parser events with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, file: str) -> None:
        self.source = Source(file)
        self.errors: list[Diagnostic] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, Any] = {}
        self.nodes = 0
        self.documents = 0

    def fail(self, mark: Any, rule: str, message: str, help: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.errors.append(Diagnostic(self.source.file, line, column, rule, message, help))

    def stop(self, mark: Any, rule: str, message: str, help: str) -> None:
        self.fail(mark, rule, message, help)
        raise SpecError(self.errors)

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self.documents += 1
                if self.documents > 1:
                    self.stop(event.start_mark, "yaml-several-documents", "a second document starts here",
                              "keep one spec in a file")  # fmt: skip
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self.open(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.close()
            case yaml.ScalarEvent():
                self.scalar(event)
            case yaml.AliasEvent():
                self.alias(event)

    def count(self, event: yaml.Event, number: int = 1) -> None:
        self.nodes += number
        if self.nodes > MAX_NODES:
            self.stop(event.start_mark, "yaml-too-large", f"the file expands to more than {MAX_NODES} values",
                      "use fewer anchors and aliases")  # fmt: skip
        tag = getattr(event, "tag", None)
        if tag and not (isinstance(event, yaml.ScalarEvent) and tag == "tag:yaml.org,2002:str"):
            self.fail(event.start_mark, "yaml-tag", "a tag is not allowed here", "remove what starts with '!'")

    def open(self, event: yaml.CollectionStartEvent) -> None:
        self.count(event)
        self.nest(event)
        if self.at_key():
            self.stop(event.start_mark, "yaml-key", "a key is not text",
                      "use plain text as key; quote text that starts with '{' or '['")  # fmt: skip
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        location = self.place(event)
        self.put(value)
        self.stack.append(_Open(value, location, event.anchor))

    def nest(self, event: yaml.Event, levels: int = 1) -> None:
        if len(self.stack) + levels > MAX_DEPTH:
            self.stop(event.start_mark, "yaml-too-deep", f"values nest deeper than {MAX_DEPTH} levels", "flatten the spec")

    def close(self) -> None:
        done = self.stack.pop()
        if done.anchor:
            self.anchors[done.anchor] = done.value

    def scalar(self, event: yaml.ScalarEvent) -> None:
        self.count(event)
        if self.at_key():
            self.key(event)
            return
        plain = event.style in (None, "") and event.implicit[0]
        try:
            value = _plain(event.value) if plain else event.value
        except ValueError as error:
            self.fail(event.start_mark, "yaml-number", str(error), "write a finite decimal number, or quote it as text")
            value = event.value
        if event.anchor:
            self.anchors[event.anchor] = value
        self.place(event)
        self.put(value)

    def alias(self, event: yaml.AliasEvent) -> None:
        if self.at_key():
            self.stop(event.start_mark, "yaml-key", "an alias cannot be a key", "write the key out")
        if event.anchor not in self.anchors:
            self.stop(event.start_mark, "yaml-anchor", "no anchor of this name was completed before this alias",
                      "define the anchor first, and do not refer to it from inside itself")  # fmt: skip
        value = self.anchors[event.anchor or ""]
        size, depth = _extent(value)
        self.count(event, size)
        self.nest(event, depth)
        self.place(event)
        self.put(_copy(value))

    def at_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].expects_key

    def key(self, event: yaml.ScalarEvent) -> None:
        top, name = self.stack[-1], event.value
        if name == "<<":
            self.fail(event.start_mark, "yaml-merge-key", "the merge key '<<' is not part of YAML 1.2", "write the keys out")
        elif name in top.value:
            first = self.source.keys[(*top.location, name)][0]
            self.fail(event.start_mark, "yaml-duplicate-key", f"this key is already used on line {first}",
                      "remove one of the two")  # fmt: skip
        else:
            self.source.keys[(*top.location, name)] = _start(event)
        top.key, top.expects_key = name, False

    def place(self, event: yaml.Event) -> Location:
        """Note where the value that `event` starts stands, and return its location."""
        location: Location = ()
        if self.stack:
            top = self.stack[-1]
            location = (*top.location, top.key if isinstance(top.value, dict) else len(top.value))
        self.source.values.setdefault(location, _start(event))
        return location

    def put(self, value: Any) -> None:
        if not self.stack:
            self.source.data = value
            return
        top = self.stack[-1]
        if isinstance(top.value, dict):
            top.value.setdefault(top.key, value)
            top.expects_key = True
        else:
            top.value.append(value)


def _start(event: yaml.Event) -> Position:
    mark: Any = event.start_mark
    return mark.line + 1, mark.column + 1


def _plain(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if (decimal := _INT.fullmatch(text)) or _OTHER_BASE.fullmatch(text):
        if len(text) > 30:
            raise ValueError(f"the number has {len(text)} digits")
        return int(text, 10 if decimal else 0)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"'{text}' is not a finite number")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"'{text}' is too large")
        return number
    return text


def _extent(value: Any) -> tuple[int, int]:
    """Return how many values there are in a value, itself included, and how many levels its collections nest."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inner is None:
        return 1, 0
    extents = [_extent(item) for item in inner]
    return 1 + sum(size for size, _ in extents), 1 + max((depth for _, depth in extents), default=0)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value
