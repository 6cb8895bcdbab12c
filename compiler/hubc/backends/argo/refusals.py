"""What is said when a cluster refuses, fails or does not answer: what happened, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubc.errors import UnreachableError
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.backends.argo.kinds import Asked

PASSING = frozenset({429, 500, 502, 503, 504})
"""Answers that may be another one a moment later."""
GONE = 410
MAX_MESSAGE = 600


@dataclass(frozen=True)
class Place:
    """Where something was asked, in words that a user knows."""

    server: str
    namespace: str
    context: str | None

    @property
    def flags(self) -> str:
        """The options that make `kubectl` look at the same place."""
        return f"-n {self.namespace}" + (f" --context {self.context}" if self.context else "")


class RefusedError(UnreachableError):
    """The cluster answered that it will not."""

    def __init__(self, text: str, code: int, reason: str, said: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.code, self.reason, self.said = code, reason, said
        self.retry_after_seconds = retry_after_seconds

    @property
    def is_absence(self) -> bool:
        """Whether the object alone is missing, and not its namespace or all of its kind."""
        return self.code == 404 and self.reason == "NotFound" and not self.said.startswith("namespaces ")


class DroppedError(UnreachableError):
    """The cluster could not be reached, was too slow, or ended a connection."""


def refused(place: Place, asked: Asked, code: int, body: bytes, headers: Mapping[str, str]) -> RefusedError:
    """Return the error for an answer that is not what was asked for."""
    said, reason = _said(body)
    return RefusedError(_explain(place, asked, code, said), code, reason, said, _seconds(headers.get("Retry-After")))


def unreachable(place: Place, error: Exception) -> DroppedError:
    """Return the error for a server that cannot be talked to; what the library says is too long to be read."""
    name = type(error).__name__
    if "Timeout" in name:
        return DroppedError(f"{place.server} does not answer in time; check the network, then try again")
    if "SSL" in name or "SSL" in str(getattr(error, "reason", "")):
        return DroppedError(f"{place.server} cannot be trusted: its certificate is not what the kubeconfig expects")
    return DroppedError(f"{place.server} cannot be reached ({name}); check the network and the kubeconfig's address")


def _explain(place: Place, asked: Asked, code: int, said: str) -> str:
    kind = asked.kind.qualified
    what = f"{asked.verb} {kind} '{asked.name}'" if asked.name else f"{asked.verb} {kind}"
    check = f"check with: kubectl auth can-i {asked.verb} {kind} {place.flags}"
    match code:
        case 401:
            login = f"context '{place.context}'" if place.context else "the current context"
            return f"the cluster does not accept the login of {login}: its token has expired or is wrong; log in again"
        case 403 if "quota" in said:
            return f"cannot {what} in namespace '{place.namespace}': {said}"
        case 403:
            return f"not permitted to {what} in namespace '{place.namespace}'; ask the cluster's administrator, {check}"
        case 404 if said.startswith("namespaces "):
            return f"namespace '{place.namespace}' does not exist on {place.server}; make it, or mend the platform"
        case 404 if "page not found" in said:
            return f"{place.server} does not know {kind}; install it, see argo/README.md"
        case 429:
            return f"{place.server} is overloaded and asks to come back later (429)"
        case _:
            return f"{place.server} could not {what} ({code}): {said or 'no reason given'}"


def _said(body: bytes) -> tuple[str, str]:
    """Return the message and the reason in an answer, fit to print."""
    text = body.decode(errors="replace").strip()
    try:
        status = json.loads(text)
    except ValueError:
        return printable(text[:MAX_MESSAGE]), ""
    if not isinstance(status, dict):
        return printable(text[:MAX_MESSAGE]), ""
    return printable(str(status.get("message", ""))[:MAX_MESSAGE]), printable(str(status.get("reason", "")))


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
