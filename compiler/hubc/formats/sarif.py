"""Diagnostics in the Static Analysis Results Interchange Format.

Format: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hubc import __version__
from hubc.rules import HOW_TO_SILENCE, RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.diagnostics import Diagnostic

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_INDEX = {rule: index for index, rule in enumerate(RULES)}


def as_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """Return a log with one run, which knows every rule; files are told relative to the current folder."""
    driver = {"name": "hubc", "version": __version__, "rules": [_rule(rule) for rule in RULES.values()]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path.cwd().as_uri()}/"}},
        "results": [_result(found) for found in diagnostics],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    silence = f"To allow it in one place, write there: {HOW_TO_SILENCE.replace('RULE', rule.id)}"
    return {
        "id": rule.id,
        "shortDescription": {"text": f"Reported when {rule.summary}."},
        "help": {"text": silence if rule.silenceable else "Mend the spec; this rule cannot be silenced."},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(found: Diagnostic) -> dict[str, Any]:
    region = {
        "startLine": found.line,
        "startColumn": found.column,
        "endLine": found.line,
        "endColumn": found.column + found.length,
    }
    return {
        "ruleId": found.rule,
        "ruleIndex": _INDEX[found.rule],
        "level": found.severity,
        "message": {"text": f"{found.message}\nhelp: {found.help}"},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(found.file), "region": region}}],
    }


def _artifact(file: str) -> dict[str, str]:
    """Return where a file is: below the current folder relative to it, elsewhere by its whole path."""
    path = PurePath(os.path.normpath(Path.cwd() / file))
    if path.is_relative_to(Path.cwd()):
        return {"uri": quote(path.relative_to(Path.cwd()).as_posix()), "uriBaseId": _ROOT}
    return {"uri": path.as_uri()}
