"""What the commands about runs share."""

from __future__ import annotations

from pathlib import Path

from hubc.backends.local import LocalBackend
from hubc.errors import UsageError
from hubc.repository import find_root


def local_backend() -> LocalBackend:
    """Return the backend of the repository that the current folder lies in."""
    return LocalBackend(find_root(Path.cwd()))


def chosen(backend: LocalBackend, run: str | None) -> str:
    """Return the named run, or the newest.

    Raises UsageError if there is no run yet.
    """
    if run is not None:
        return run
    newest = backend.list()[:1]
    if not newest:
        raise UsageError("no runs yet; start one with: hubc run SPEC")
    return newest[0].id
