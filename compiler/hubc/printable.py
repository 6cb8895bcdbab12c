"""Text that others wrote, made safe to print."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` on one line, so that what it holds can neither forge output nor steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
