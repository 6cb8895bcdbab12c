"""What the version of a platform's Argo controller means for a rendering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.errors import HubcError

if TYPE_CHECKING:
    from hubc.spec.platform import Platform

OLDEST = (3, 6)
"""The first release line with `synchronization.mutexes`."""
FIXED = {(3, 7): 15, (4, 0): 6, (4, 1): 2}
"""The first patch of each release line without CVE-2026-54526; later lines never had it."""


def warnings(platform: Platform) -> list[str]:
    """Return what is unsafe about the platform, one sentence each, for standard error."""
    if platform.spec.argo is None:
        return []
    found = hole(platform.spec.argo.controller_version)
    return [f"platform '{platform.metadata.name}': {found}"] if found else []


def hole(version: str) -> str:
    """Return what is unsafe about a controller and what to do; empty if nothing is known."""
    line, patch = _parse(version)
    if line > max(FIXED) or patch >= FIXED.get(line, patch + 1):
        return ""
    fixed = ", ".join(f"{major}.{minor}.{first}" for (major, minor), first in FIXED.items())
    return f"Argo Workflows {version} is open to CVE-2026-54526; update the controller to one of {fixed}, or newer"


def check_supported(version: str) -> None:
    """Raise HubcError if the controller is too old for the fields that a rendering uses."""
    if _parse(version)[0] < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise HubcError(f"controller-version: Argo Workflows {version} is older than {oldest}; update the controller")


def _parse(version: str) -> tuple[tuple[int, int], int]:
    major, minor, patch = map(int, version.split("."))
    return (major, minor), patch
