"""What verification finds, and where: a path into a manifest and a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]
"""Keys and indices that lead to a place in a manifest."""
Fault = tuple[Path, str]
"""A place, and what is wrong there."""
_PLAIN = re.compile(r"[A-Za-z_][-A-Za-z0-9_]*")


@dataclass(frozen=True, order=True)
class Finding:
    """Something in a manifest that a cluster refuses, or that would not do there what it should."""

    kind: str
    name: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (f"{self.kind}/{self.name}", self.path, self.message)))


def finding(document: dict[str, Any], fault: Fault) -> Finding:
    """Return a document's fault as a finding."""
    return Finding(str(document.get("kind")), str(name_of(document)), path_text(fault[0]), fault[1])


def name_of(document: dict[str, Any]) -> str | None:
    """Return a document's name, if it has one that is text."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def path_text(path: Path) -> str:
    """Return a path in the way of JSONPath, such as `spec.templates[3].name`."""
    return "".join(_element(each) for each in path).removeprefix(".")


def _element(each: str | int) -> str:
    if isinstance(each, int):
        return f"[{each}]"
    return f".{each}" if _PLAIN.fullmatch(each) else f"['{each}']"


def walk(data: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield the path and value of everything in nested data, the data itself first."""
    yield path, data
    if isinstance(data, dict):
        for key, value in data.items():
            yield from walk(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from walk(value, (*path, number))


def items(data: dict[str, Any], *keys: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the path and value of each entry of the list that keys lead to; a list that is not there has none."""
    found: Any = data
    for key in keys:
        found = (found or {}).get(key)
    for number, value in enumerate(found or []):
        yield (*keys, number), value


def under(path: Path, faults: Iterator[Fault]) -> Iterator[Fault]:
    """Yield faults found in a part of a manifest as faults of the whole."""
    for place, message in faults:
        yield (*path, *place), message
