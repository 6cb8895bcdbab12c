"""The symbols before the steps of a plan, their legend and their colours on a terminal."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hubc.plan_views.estimate_text import DOES_NOT_FIT

if TYPE_CHECKING:
    from collections.abc import Iterable

SYMBOLS = {"run": "+", "again": "~", "reuse": "=", "open": "?"}
_MEANINGS = {"run": "run", "again": "changed", "reuse": "reuse", "open": "decided on the cluster"}
# Green, yellow, grey and, as in diagnostics, bold red.
_CODES = {"+": "32", "~": "33", "=": "90", DOES_NOT_FIT: "1;31"}
_COLOURED = re.compile(rf"(?<=^  )[+~=](?= )|{DOES_NOT_FIT}")


def legend(actions: Iterable[str]) -> str:
    """Return what the symbols mean, of those that the plan shows."""
    shown = set(actions)
    return "  ".join(f"{symbol} {_MEANINGS[name]}" for name, symbol in SYMBOLS.items() if name in shown)


def coloured(line: str) -> str:
    """Return a line of a plan with its symbol, or that something does not fit, in a colour."""
    return _COLOURED.sub(lambda found: f"\x1b[{_CODES[found[0]]}m{found[0]}\x1b[0m", line)
