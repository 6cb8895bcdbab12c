"""Diagnostics as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.diagnostics import Diagnostic

FIELDS = ("file", "line", "column", "length", "severity", "rule", "message", "help")


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """Return an array with one object for each diagnostic."""
    return json.dumps([{name: getattr(found, name) for name in FIELDS} for found in diagnostics], indent=2) + "\n"
