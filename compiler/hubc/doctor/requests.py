"""What a probe is asked to look at: the secrets in it, and which parts make sense on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hub_steps.parameters import SecretReference
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hubc.spec.cluster import Argo

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
INSIDE = (".svc", ".cluster.local")
ASK = "--probe finds out"


def references(part: Any) -> list[SecretReference]:
    """Return every secret that a document refers to, each once."""
    return list(dict.fromkeys(_references(part)))


def _references(part: Any) -> Iterator[SecretReference]:
    if isinstance(part, dict):
        if part.keys() == {"secret", "key"}:
            yield SecretReference.model_validate(part)
        else:
            for value in part.values():
                yield from _references(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _references(value)


def out_of_reach(part: Any, argo: Argo, environment: Mapping[str, str]) -> Finding | None:
    """Return the finding for a part of a request that cannot be tried on this machine; None if it can."""
    # A target has no role, and an endpoint one that says enough.
    subject = f"storage {part}" if isinstance(part, str) else f"{part.get('role', 'target')} of step '{part['step']}'"
    place = part if isinstance(part, str) else part.get("location")
    if place and not place.startswith("s3://"):
        return Finding(subject, "unknown", "only pods reach the volume", ASK)
    url = argo.storage.endpoint if place else part.get("url")
    needed = list(KEYS) if place else [item.variable for item in references(part)]
    if url and is_inside(url):
        return Finding(subject, "unknown", f"only the cluster reaches {url}", ASK)
    if missing := [name for name in needed if not environment.get(name)]:
        return Finding(subject, "unknown", "its credentials are not here", f"set {' and '.join(missing)}; or {ASK}")
    return None


def is_inside(url: str) -> bool:
    """Tell whether an address is one that only a cluster knows."""
    host = urlsplit(url).hostname or ""
    return host.endswith(INSIDE) or ("." not in host and ":" not in host and host != "localhost")
