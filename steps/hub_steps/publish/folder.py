"""A published folder: replaced as a whole, and only if hubc published it."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.digest import file_digest

if TYPE_CHECKING:
    from pathlib import Path

PROVENANCE_FILE = "provenance.json"


def published(folder: Path) -> dict[str, Any] | None:
    """Return the provenance of what is published in a folder, or None if the folder is empty or not there.

    Raises StepError if it holds something else, which must not be lost.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    try:
        found: dict[str, Any] = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise StepError(f"{folder} holds files that hubc did not publish; name another folder, or move them away") from None
    return found


def is_whole(folder: Path, provenance: dict[str, Any]) -> bool:
    """Tell whether every file of a published folder is as its provenance says."""
    files: dict[str, str] = provenance.get("files", {})
    return all((folder / name).is_file() and file_digest(folder / name) == digest for name, digest in files.items())


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


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
