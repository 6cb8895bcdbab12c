"""GitHub Markdown in which no text that others wrote means anything.

Such text stands in code, where GitHub makes no link, mention or reference of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_steps.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_TICKS = 40


def code(text: str) -> str:
    """Return text as a code span that also holds in a table."""
    shown = printable(text) or " "
    ticks = "`" * (1 + _longest_ticks([shown]))
    space = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    # In a table, a backslash before a pipe is taken away even in code.
    return f"{ticks}{space}{shown}{space}{ticks}".replace("|", "\\|")


def block(lines: Sequence[str], most: int, hint: str = "") -> str:
    """Return lines as a code block of at most about `most` characters that none of them can end.

    What is left out is counted, followed by the hint where to find it.
    """
    shown: list[str] = []
    length = 0
    for line in (re.sub(f"`{{{_MAX_TICKS},}}", f"{'`' * _MAX_TICKS}…", printable(line)) for line in lines):
        length += len(line) + 1
        if length > most:
            left = len(lines) - len(shown)
            shown.append(f"… and {left} more line{'s' if left > 1 else ''}{hint}")
            break
        shown.append(line)
    fence = "`" * max(3, 1 + _longest_ticks(shown))
    return "\n".join([f"{fence}text", *shown, fence])


def _longest_ticks(lines: Sequence[str]) -> int:
    return max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
