"""Values as short text: what is long is cut in the middle, and says how long it is."""

from __future__ import annotations

import json
import re
from typing import Any

from hubc.printable import printable

MAX_CHARACTERS = 96
_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{28,}\b")


def pair(before: Any, after: Any) -> tuple[str, str]:
    """Return two values as text that shows what is different even where both had to be cut."""
    texts = whole(before), whole(after)
    shown = cut(texts[0]), cut(texts[1])
    if shown[0] != shown[1]:
        return shown
    start = next((at for at, (old, new) in enumerate(zip(*texts, strict=False)) if old != new), min(map(len, texts)))
    return cut(texts[0], around=start), cut(texts[1], around=start)


def short(value: Any) -> str:
    """Return a value as text on one line, cut if it is long."""
    return cut(whole(value))


def whole(value: Any) -> str:
    """Return a value as text on one line: text as it is, everything else, and text that looks like it, as JSON."""
    if value is None:
        return "(not set)"
    if isinstance(value, str) and value.strip() == value and not _reads_as_json(value):
        return printable(value)
    return printable(json.dumps(value, ensure_ascii=False))


def cut(text: str, around: int | None = None) -> str:
    """Return text of at most MAX_CHARACTERS, or its ends, or what stands `around` an index; with its length if it was cut.

    Of a digest, the first digits are enough.
    """
    length = f" ({len(text):,} characters)"
    if around is not None:
        start = max(0, around - MAX_CHARACTERS // 2)
        end = start + MAX_CHARACTERS
        return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}{length}"
    shown = _DIGEST.sub(r"\1…", text)
    if len(shown) <= MAX_CHARACTERS:
        return shown
    half = MAX_CHARACTERS // 2
    return f"{shown[:half]}…{shown[-half:]}{length}"


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return not text
    return True
