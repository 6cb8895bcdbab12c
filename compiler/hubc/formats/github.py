"""Diagnostics as workflow commands, which GitHub shows beside the lines of a pull request.

Format: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.diagnostics import Diagnostic

_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def as_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Return one command for each diagnostic; the remedy is the second line of its message."""
    return "".join(f"{_command(found)}\n" for found in diagnostics)


def _command(found: Diagnostic) -> str:
    properties = {
        "file": found.file,
        "line": found.line,
        "col": found.column,
        "endColumn": found.column + found.length,
        "title": found.rule,
    }
    told = ",".join(f"{name}={str(value).translate(_PROPERTY)}" for name, value in properties.items())
    message = f"{found.message}\nhelp: {found.help}".translate(_MESSAGE)
    return f"::{found.severity} {told}::{message}"
