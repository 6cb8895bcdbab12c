"""Text fit to print: what others wrote made safe, and time spans."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return `text` on one line, so that what it holds can neither forge output nor steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def seconds(value: float) -> str:
    """Return a time span as text."""
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
