"""Plain text to the value that YAML 1.2's core schema reads (https://yaml.org/spec/1.2.2/#103-core-schema)."""

from __future__ import annotations

import re

MAX_DIGITS = 30
MAX_NUMBER = 100
"""Characters of a number; more cannot change a double."""

_FIRST = frozenset(["", *"-+.0123456789~nNtTfF"])
"""How text that is not text may start: most text is told by its first character."""
_NAMED = {"": None, "~": None} | {
    word: value
    for name, value in {"null": None, "true": True, "false": False}.items()
    for word in (name, name.title(), name.upper())
}
_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def plain_scalar(text: str) -> str | int | float | bool | None:
    """Return the value of text without quotes: `1e-5` is a number, `on` and `no` are text.

    Raises ValueError for a number that is not finite, or too long.
    """
    if text[:1] not in _FIRST:
        return text
    if text in _NAMED:
        return _NAMED[text]
    if (decimal := _INT.fullmatch(text)) or _OTHER_BASE.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"the number has {len(text)} digits")
        return int(text, 10 if decimal else 0)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"'{text}' is not a finite number")
    if not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_NUMBER:
        raise ValueError(f"the number has {len(text)} characters")
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"'{text}' is too large")
    return number
