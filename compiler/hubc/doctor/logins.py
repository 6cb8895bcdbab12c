"""Logins for registries, out of the `dockerconfigjson` of image pull secrets, chosen as the kubelet does."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_NAMES = {"index.docker.io": "docker.io", "registry-1.docker.io": "docker.io"}


@dataclass(frozen=True)
class Login:
    """A user and a password for the registries that a pattern fits."""

    pattern: str
    basic: str = field(repr=False)
    """Value of the header `Authorization`."""


def logins_for(docker_config: dict[str, Any], registry: str, name: str) -> list[Login]:
    """Return the logins for an image of a registry, that with the longest path first."""
    auths = docker_config.get("auths")
    known = list(_logins(auths)) if isinstance(auths, dict) else []
    fitting = [login for login in known if _fits(login.pattern, registry, name)]
    return sorted(fitting, key=lambda login: len(login.pattern), reverse=True)


def is_safe(url: str) -> bool:
    """Tell whether a login may be sent to an address: with TLS, or on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1")


def _logins(auths: dict[Any, Any]) -> Iterator[Login]:
    for address, entry in auths.items():
        if isinstance(entry, dict) and (said := _user_and_password(entry)) is not None:
            yield Login(_pattern(str(address)), f"Basic {base64.b64encode(said).decode()}")


def _user_and_password(entry: dict[Any, Any]) -> bytes | None:
    """Return `user:password`, or None if the entry has neither in a form that is known."""
    if entry.get("username") and entry.get("password"):
        return f"{entry['username']}:{entry['password']}".encode()
    try:
        said = base64.b64decode(str(entry.get("auth") or ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    return said if b":" in said else None


def _pattern(address: str) -> str:
    """Return an entry's address without scheme and version: `https://index.docker.io/v1/` means Docker Hub."""
    host, _, path = address.removeprefix("https://").removeprefix("http://").rstrip("/").partition("/")
    path = "" if path in ("v1", "v2") else path
    return f"{OTHER_NAMES.get(host, host)}/{path}".rstrip("/")


def _fits(pattern: str, registry: str, name: str) -> bool:
    host, _, path = pattern.partition("/")
    wanted, given = host.split("."), registry.split(".")
    is_host = len(wanted) == len(given) and all(map(fnmatchcase, given, wanted))
    return is_host and (not path or f"{name}/".startswith(f"{path}/"))
