"""`{{...}}`: Argo's tags, filled at the level of strings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAG = re.compile(r"\{\{((?:(?!\{\{|\}\}).)*)\}\}", re.DOTALL)


class UnresolvedError(Exception):
    """A tag that nothing is known about."""


def fill(data: Any, values: Mapping[str, str], later: tuple[str, ...] = ()) -> Any:
    """Return `data` with the tags in all of its strings filled, also those that only a value brings in.

    Tags that start with one of `later` may stay. Raises UnresolvedError for any other that is unknown.
    """
    if isinstance(data, dict):
        return {key: fill(value, values, later) for key, value in data.items()}
    if isinstance(data, list):
        return [fill(value, values, later) for value in data]
    return _fill_text(data, values, later) if isinstance(data, str) and "{{" in data else data


def _fill_text(text: str, values: Mapping[str, str], later: tuple[str, ...]) -> str:
    before = None
    while text != before:
        before, text = text, _TAG.sub(lambda found: values.get(found[1].strip(), found[0]), text)
    for tag in _TAG.findall(text):
        if not tag.strip().startswith(later or ("\0",)):
            raise UnresolvedError(f"failed to resolve {{{{{tag}}}}}")
    return text
