"""Rules over every string of a document: literal credentials, control characters and template braces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
CREDENTIALS = {
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "an API key": re.compile(r"\bsk-[-A-Za-z0-9_]{20,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a URL with a password": re.compile(r"://[^/\s:@]+:[^/\s@]+@"),
}
"""Name and pattern of what the common secret scanners look for."""


def check_text(source: Source, *, braces: bool) -> list[Diagnostic]:
    """Return what is wrong in the strings of a document; a credential is never repeated in the message."""
    found: list[Diagnostic] = []
    for location, text, is_key in _strings(source.data, ()):
        for name, pattern in CREDENTIALS.items():
            if pattern.search(text):
                found.append(source.diagnostic(
                    location, "secret-literal", f"this looks like {name}",
                    "revoke it, and refer to a secret instead: {secret: NAME, key: KEY}", key=is_key))  # fmt: skip
                break
        if control := _CONTROL.search(text):
            found.append(source.diagnostic(
                location, "control-character", f"the text holds the character U+{ord(control[0]):04X}",
                "remove the character", key=is_key))  # fmt: skip
        if braces and ("{{" in text or "}}" in text):
            found.append(source.diagnostic(
                location, "template-braces", "'{{' and '}}' would be a template tag for Argo",
                "write the text without double braces", key=is_key))  # fmt: skip
    return found


def _strings(value: object, location: Location) -> Iterator[tuple[Location, str, bool]]:
    """Yield every key and string with its location; the nesting is bounded by the reader."""
    if isinstance(value, str):
        yield location, value, False
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (*location, key), key, True
            yield from _strings(item, (*location, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, (*location, index))
