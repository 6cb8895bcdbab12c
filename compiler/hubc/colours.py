"""Colours of a terminal, where there is one and its user wants them (https://no-color.org)."""

from __future__ import annotations

import os
from typing import IO, Literal

Colour = Literal["red", "yellow", "blue", "cyan", "bold"]
_CODES: dict[Colour, str] = {"red": "1;31", "yellow": "1;33", "blue": "1;34", "cyan": "36", "bold": "1"}


def wanted(stream: IO[str]) -> bool:
    """Tell whether text written to a stream should be coloured."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: Colour, on: bool) -> str:
    """Return `text` in a colour; unchanged if colours are not `on`."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if on else text
