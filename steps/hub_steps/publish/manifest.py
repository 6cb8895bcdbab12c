"""The provenance file of a published version, which also names its files: what is not in it, hubc did not publish."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.digest import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PROVENANCE_FILE = "provenance.json"


def parse(text: str) -> dict[str, Any] | None:
    """Return the provenance that a text holds, or None if it is none of hubc's."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        return None
    return found if isinstance(found.get("release"), str) and isinstance(found.get("pipeline"), str) else None


def foreign_files(names: Iterable[str], provenance: dict[str, Any] | None) -> list[str]:
    """Return the names that a provenance does not own."""
    own = {PROVENANCE_FILE, *provenance["files"]} if provenance else set()
    return [name for name in names if name not in own]


def not_ours(target: object, foreign: list[str]) -> StepError:
    """Return the error for a place that holds what hubc did not publish."""
    named = f", such as '{foreign[0]}'" if foreign else ""
    return StepError(f"{target} holds files that hubc did not publish{named}; name another folder, or move them away")


def changed(target: object, name: str) -> StepError:
    """Return the error for a file that somebody changed."""
    return StepError(f"'{name}' in {target} was changed after it was published; move it away, or name another folder")


def seal(draft: Path, origin: dict[str, Any]) -> None:
    """Write the provenance into a folder, with digest and size in bytes of every file."""
    names = sorted(str(path.relative_to(draft)) for path in draft.rglob("*") if path.is_file())
    for name in names:
        # Weights come with a mode that lets nobody else read them.
        (draft / name).chmod((draft / "README.md").stat().st_mode)
    origin["files"] = {name: file_digest(draft / name) for name in names}
    origin["sizes"] = {name: (draft / name).stat().st_size for name in names}
    (draft / PROVENANCE_FILE).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
