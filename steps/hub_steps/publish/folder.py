"""A published folder: replaced as a whole, and only if hubc published it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.digest import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROVENANCE_FILE = "provenance.json"


def published(folder: Path) -> dict[str, Any] | None:
    """Return the provenance of what is published in a folder, or None if the folder is empty or not there.

    Raises StepError if it holds anything else, or if something was changed since: neither must be lost.
    """
    found = described(folder)
    for name, digest in found["files"].items() if found else ():
        if (folder / name).exists() and file_digest(folder / name) != digest:
            raise StepError(f"'{name}' in {folder} was changed after it was published; move it away, or name another folder")
    return found


def described(folder: Path) -> dict[str, Any] | None:
    """Return what `published` does, without reading the files, which may take minutes.

    Raises StepError if the folder holds files that hubc did not publish.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    found = _provenance(folder)
    own = {PROVENANCE_FILE, *found["files"]} if found else set()
    foreign = [name for name in (str(path.relative_to(folder)) for path in _files(folder)) if name not in own]
    if found is None or foreign:
        named = f", such as '{foreign[0]}'" if foreign else ""
        raise StepError(f"{folder} holds files that hubc did not publish{named}; name another folder, or move them away")
    return found


def is_whole(folder: Path, provenance: dict[str, Any]) -> bool:
    """Tell whether a published folder has every file that its provenance names."""
    return all((folder / name).is_file() for name in provenance["files"])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time publish to a folder; the lock is its parent's, so that nothing is left beside it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace(folder: Path, draft: Path) -> None:
    """Put the folder `draft`, beside it, in the place of `folder`."""
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Bring back what `replace` had moved away when it was killed between its two moves."""
    if not folder.exists() and _old(folder).is_dir():
        _old(folder).rename(folder)


def _provenance(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(found, dict) and isinstance(found.get("files"), dict) and isinstance(found.get("release"), str)
    is_ours = is_ours and isinstance(found.get("pipeline"), str)
    return found if is_ours else None


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
