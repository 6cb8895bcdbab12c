"""A YAML file to plain data, with the place of every key and value beside it.

The text is read as YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema): `1e-5` is a number, `on` and
`no` are text. Anything that would let a spec mean two things, or cost more to read than it looks, is a diagnostic.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hubc.diagnostics import Diagnostic
from hubc.errors import SpecError
from hubc.positions import Location, Place, Position, Text
from hubc.reader import MAX_DEPTH, MAX_NODES, read

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "Location", "Position", "Source", "parse", "parse_text", "read_text"]

MAX_BYTES = 1 << 18

_NOT_ALLOWED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)"
)
"""Control characters, and what a parser takes for a line break, or an editor shows elsewhere, and a reviewer cannot see."""
_CONFLICT = re.compile(r"^(<<<<<<< |\|{7} |=======(?=\r?$)|>>>>>>> )[^\r\n]*", re.MULTILINE)
_CONFLICT_MARKS = ("\n<<<<<<< ", "\n||||||| ", "\n=======", "\n>>>>>>> ")
_DIRECTIVE = re.compile(r"^%.*", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """The data of one YAML document, and of those that it extends, with the places of its keys and values."""

    text: Text
    data: Any
    root: Place
    bases: dict[str, Text] = field(default_factory=dict)
    """The files that it extends, nearest first: path below the repository's top, and text."""

    def place(self, location: Location) -> tuple[Place, bool]:
        """Return where `location` stands, and whether it is written.

        What is not written stands where its nearest parent does: in this file, unless an alias gave it.
        """
        place = nearest = self.root
        for key in location:
            if place.children is None:
                return place, False
            if key not in place.children:
                return nearest, False
            place = place.children[key]
            if place.text is self.text:
                nearest = place
        return place, True

    def position(self, location: Location, *, key: bool = False) -> Position:
        """Return the line and column of the value, or the key, at `location`."""
        place, is_written = self.place(location)
        return place.text.position(_span(place, key=key or not is_written)[0])

    def diagnostic(self, location: Location, rule: str, message: str, help: str, *, key: bool = False) -> Diagnostic:
        """Return a diagnostic that points at the value, or the key, at `location`."""
        place, is_written = self.place(location)
        return place.text.diagnostic(_span(place, key=key or not is_written), rule, message, help)


def _span(place: Place, *, key: bool) -> tuple[int, int]:
    return place.key if key and place.key else place.span


def parse(path: Path, *, name: str | None = None) -> Source:
    """Read one YAML file.

    Raises SpecError if the file cannot be read as a single YAML mapping.
    """
    file = name or str(path)
    return parse_text(read_text(path, file), file)


def parse_text(text: str, file: str) -> Source:
    """Read one YAML document from text; `file` is the name that diagnostics show.

    Raises SpecError if the text is not a single YAML mapping.
    """
    written = Text(file, text)
    _check(written)
    data, root = read(written)
    if root is None or not isinstance(data, dict):
        message = "the file holds no mapping" if root else "the file is empty"
        raise SpecError([Diagnostic(file, 1, 1, "yaml-not-a-mapping", message, "start with 'apiVersion: hubc/v1'")])
    return Source(written, data, root)


def _check(text: Text) -> None:
    """Refuse what a parser would read, or stumble over without saying what it is."""
    whole = text.text
    if found := _NOT_ALLOWED.search(whole):
        message, remedy = f"the character U+{ord(found[0]):04X} is not allowed", "remove it; end lines with LF or CRLF"
        raise SpecError([text.diagnostic(found.span(), "yaml-character", message, remedy)])
    lines = "\n" + whole
    if any(mark in lines for mark in _CONFLICT_MARKS) and (found := _CONFLICT.search(whole)):
        raise SpecError([text.diagnostic(found.span(), "yaml-merge-conflict", "a merge conflict starts here", "resolve it")])
    if "\n%" in lines and (found := _DIRECTIVE.search(whole)):  # the parser compares each directive with all others
        raise SpecError([text.diagnostic(found.span(), "yaml-syntax", "a line cannot start with '%'",
                                         "remove the directive, or indent the line")])  # fmt: skip


def read_text(path: Path, file: str) -> str:
    """Return the text of a regular file of at most MAX_BYTES; `file` is the name that diagnostics show.

    Raises SpecError if it is none, or not UTF-8.
    """

    def fail(message: str, help: str, line: int = 1) -> SpecError:
        return SpecError([Diagnostic(file, line, 1, "unreadable-file", message, help)])

    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise fail("the file is a symbolic link, which may lead out of the repository", "put the file itself here")
        if stat.S_ISDIR(mode):
            raise fail("this is a folder", "give the path of a YAML file")
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
