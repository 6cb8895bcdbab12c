"""Diagnostics as text for people, and for the programs that show them: one function a format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.formats.github import as_github
from hubc.formats.json import as_json
from hubc.formats.sarif import as_sarif
from hubc.formats.text import as_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hubc.diagnostics import Diagnostic

MACHINE_FORMATS: dict[str, Callable[[Sequence[Diagnostic]], str]] = {
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
"""Formats that programs read from standard output; each holds every diagnostic."""

__all__ = ["MACHINE_FORMATS", "as_github", "as_json", "as_sarif", "as_text"]
