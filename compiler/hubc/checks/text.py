"""Rules over every string of a document: literal credentials, control characters and template braces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from hub_steps.credentials import CREDENTIALS, credential_in
from hubc.reader import quoted_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source

__all__ = ["CREDENTIALS", "check_text", "without_secrets"]

_COMMENT = re.compile(r"(?:^|[ \t])#")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def check_text(source: Source, *, braces: bool) -> list[Diagnostic]:
    """Return what is wrong in the strings of a document; a credential is never repeated in the message."""
    found: list[Diagnostic] = []
    for location, text, key in _strings(source.data, (), ""):
        is_key = key is None
        if name := credential_in(text if is_key else f"{key}: {text}"):
            found.append(source.diagnostic(
                location, "secret-literal", f"this looks like {name}",
                "revoke it, and refer to a secret instead: {secret: NAME, key: KEY}", key=is_key))  # fmt: skip
        if not text.isprintable() and (control := _CONTROL.search(text)):
            found.append(source.diagnostic(
                location, "control-character", f"the text holds the character U+{ord(control[0]):04X}",
                "remove the character", key=is_key))  # fmt: skip
        if braces and ("{{" in text or "}}" in text):
            found.append(source.diagnostic(
                location, "template-braces", "'{{' and '}}' would be a template tag for Argo",
                "write the text without double braces", key=is_key))  # fmt: skip
    return found + _in_comments(source, {(item.file, item.line) for item in found if item.rule == "secret-literal"})


def _in_comments(source: Source, known: set[tuple[str, int]]) -> list[Diagnostic]:
    """Return the credentials in comments, one for each line; `known` has the lines that are reported already."""
    found: dict[tuple[str, int], Diagnostic] = {}
    for text in (source.text, *source.bases.values()):
        if not credential_in(text.text):
            continue
        quoted = quoted_spans(text)
        for name, pattern in CREDENTIALS.items():
            for match in re.finditer(pattern, text.text):
                start, end = match.span("secret" if match.groupdict().get("secret") else 0)
                before = text.text[text.text.rfind("\n", 0, start) + 1 : start]
                if not _COMMENT.search(before) or any(first <= start < last for first, last in quoted):
                    continue
                item = text.diagnostic((start, end), "secret-literal", f"this comment holds what looks like {name}",
                                       "revoke it, and remove it here")  # fmt: skip
                found.setdefault((item.file, item.line), item)
    return [item for place, item in found.items() if place not in known]


def without_secrets(found: list[Diagnostic]) -> list[Diagnostic]:
    """Return all diagnostics but others where a credential stands, since that is what is wrong there."""
    secrets = {(item.file, item.line, item.column) for item in found if item.rule == "secret-literal"}
    return [item for item in found if item.rule == "secret-literal" or (item.file, item.line, item.column) not in secrets]


def _strings(value: Any, location: Location, key: str) -> Iterator[tuple[Location, str, str | None]]:
    """Yield every string of a collection with its location; the nesting is bounded by the reader.

    With it comes the key that it belongs to, which may give away what it is, as in `api_key: 0123…`; None with a key itself.
    """
    for part, item in value.items() if isinstance(value, dict) else enumerate(value):
        place = (*location, part)
        if isinstance(part, str):
            yield place, part, None
            key = part
        if isinstance(item, str):
            yield place, item, key
        elif isinstance(item, dict | list):
            yield from _strings(item, place, key)
