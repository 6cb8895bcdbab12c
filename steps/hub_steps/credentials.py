"""What credentials look like, after the patterns of the common secret scanners; and text without them."""

from __future__ import annotations

import re

_SAYS = r"['\"]?\s{0,9}[:=]\s{0,9}['\"]?"
"""What stands between a name and its value."""
_KEY = rf"(?i:(?:wandb|api[-_]?key|token(?!iz)|secret|password)[-_a-z0-9]{{0,40}}{_SAYS})"
_AWS_SECRET = rf"(?i:secret_?(?:access)?_?key{_SAYS})"
SHORTEST = 20
"""Characters that all of them have at least, but for URLs."""

CREDENTIALS: dict[str, str] = {
    "a Hugging Face token": r"\b(?:hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,})",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9_]{36,}|github_pat_[A-Za-z0-9_]{50,})",
    "an AWS access key": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "an AWS secret key": _AWS_SECRET + r"(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
    "an API key": r"(?<![-A-Za-z0-9_])sk-(?=[-A-Za-z_]{0,99}[0-9])[-A-Za-z0-9_]{20,}",
    "a Weights & Biases key": (
        rf"\bwandb_v[0-9]+_[A-Za-z0-9_]{{30,}}|{_KEY}(?P<secret>[0-9a-f]{{40}})(?![0-9a-z])"
    ),
    "a Slack token": (
        r"\bxox[abeoprs]-[-A-Za-z0-9]{10,}|hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}"
    ),
    "a Google API key": r"\bAIza[-A-Za-z0-9_]{35}",
    "a GitLab token": r"\bgl(?:pat|ptt|dt|rt|cbt|soat|ft|imt|agent|oas)-[-A-Za-z0-9_.]{20,}",
    "a private key": (
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?!-----)[\s\S])*(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)?"
    ),
    "a URL with a password": r"://[^/\s:@'\"]*:(?P<secret>[^/\s@]+)@",
}  # fmt: skip
"""Name and pattern of each kind; where a pattern needs what stands around the credential, its group `secret` is it.

`re` compiles a pattern when a text is first like it, and keeps it: most runs need few of them.
"""


_HINTS = {
    "a Hugging Face token": ("hf_", "api_org_"),
    "a GitHub token": ("gh", "github_pat_"),
    "an AWS access key": ("akia", "asia", "abia", "acca"),
    "an AWS secret key": ("secret",),
    "an API key": ("sk-",),
    "a Weights & Biases key": ("wandb", "api", "token", "secret", "password"),
    "a Slack token": ("xox", "hooks.slack"),
    "a Google API key": ("aiza",),
    "a GitLab token": ("gl",),
    "a private key": ("private key",),
    "a URL with a password": ("://",),
}
"""What a text must hold, in lower case, for a pattern to match: looking for it is much faster."""


def credential_in(text: str) -> str | None:
    """Return what kind of credential a text holds, if any."""
    if len(text) < SHORTEST and "@" not in text:
        return None
    return next((name for name in _likely(text) if re.search(CREDENTIALS[name], text)), None)


def mask(text: str) -> str:
    """Return `text` with stars for the characters of every credential; lines and columns stay where they are."""
    for name in _likely(text):
        text = re.sub(CREDENTIALS[name], _stars, text)
    return text


def _likely(text: str) -> list[str]:
    lower = text.lower()
    return [name for name, hints in _HINTS.items() if any(map(lower.__contains__, hints))]


def _stars(found: re.Match[str]) -> str:
    whole = found[0]
    start, end = found.span("secret") if "secret" in found.re.groupindex and found["secret"] else found.span()
    start, end = start - found.start(), end - found.start()
    return whole[:start] + re.sub(r"\S", "*", whole[start:end]) + whole[end:]
