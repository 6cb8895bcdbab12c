"""Argo's own substitutions inside manifests: the few that hubc writes, kept apart from all text by their type."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from hubc.backends.argo.serialize import to_json


class Tag(Enum):
    """What Argo fills in when a template runs; each stands for a checked name, so that it needs no quoting."""

    JOB = "{{inputs.parameters.job}}"
    STEP = "{{inputs.parameters.step}}"
    STATUS = "{{inputs.parameters.status}}"
    RUN = "{{workflow.name}}"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Tagged:
    """Text with tags in it."""

    parts: tuple[str | Tag, ...]

    def __str__(self) -> str:
        return "".join(map(str, self.parts))


def tagged(*parts: str | Tag) -> Tagged:
    """Return the parts as one text: `tagged("s3://bucket/", Tag.RUN)`."""
    return Tagged(parts)


def to_manifest(data: Any) -> str:
    """Return compact JSON in which only `Tag`s are tags: braces in strings are escaped, whatever the strings hold."""
    match data:
        case Tag():
            return f'"{data}"'
        case Tagged():
            return '"' + "".join(str(part) if isinstance(part, Tag) else to_json(part)[1:-1] for part in data.parts) + '"'
        case dict():
            return "{" + ",".join(f"{to_json(key)}:{to_manifest(value)}" for key, value in data.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(to_manifest, data)) + "]"
        case _:
            return to_json(data)


def to_text(data: Any) -> Any:
    """Return the data with plain strings for tagged ones, for a template's own fields, which need no manifest."""
    match data:
        case Tag() | Tagged():
            return str(data)
        case dict():
            return {key: to_text(value) for key, value in data.items()}
        case list() | tuple():
            return [to_text(item) for item in data]
        case _:
            return data
