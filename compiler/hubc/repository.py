"""The Git repository that specs live in: its top folder, and the specs and leaves below a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.diagnostics import Diagnostic
from hubc.errors import SpecError
from hubc.lookups import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAF = "qna.yaml"


@remembered
def find_root(start: Path) -> Path:
    """Return the nearest folder at or above `start` that holds `.git` or `.hubc`; without one, the current folder."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / ".git").exists() or (folder / ".hubc").is_dir():
            return folder
    return Path.cwd()


@remembered
def real_path(path: Path) -> str:
    """Return the path without links."""
    return os.path.realpath(path)


def display_name(path: Path) -> str:
    """Return the path as a user would type it here: relative to the current folder when below it."""
    here = f"{Path.cwd()}{os.sep}"
    return os.path.join(here, path).removeprefix(here)  # noqa: PTH118 - many times faster than pathlib


def spec_files(path: Path) -> Iterator[Path]:
    """Yield `path` itself, or every spec and leaf in the folder, in order of name.

    Raises SpecError if there is no such path, or nothing in the folder: a path that is mistyped must not look good.
    """
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        message = f"cannot read the file: {error.strerror}"
        remedy = "check the path; 'hubc init' writes a first spec" if path.name == "specs" else "check the path"
        raise SpecError([Diagnostic(display_name(path), 1, 1, "unreadable-file", message, remedy)]) from None
    if not is_folder:
        yield path
        return
    found = False
    for folder, names, files in os.walk(path):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in sorted(files):
            if name.endswith((".yaml", ".yml")):
                found = True
                yield Path(folder, name)
    if not found:
        raise SpecError([Diagnostic(display_name(path), 1, 1, "unreadable-file", "there is no spec in this folder",
                                    "name a folder with '.yaml' files")])  # fmt: skip


def leaf_files(root: Path, taxonomy: str) -> list[Path]:
    """Return the knowledge leaves of the taxonomy at a path below the repository's top, in order of name.

    Links to folders are not followed, so that nothing outside the repository is read; reading a link to a leaf is refused.
    Raises SpecError for a leaf in a folder whose name is not text.
    """
    found: list[Path] = []
    for folder, names, files in os.walk(root / taxonomy / "knowledge"):
        names.sort()
        if LEAF in files:
            if not folder.isprintable():
                raise SpecError([Diagnostic(folder, 1, 1, "unreadable-file", "the folder's name cannot be written as text",
                                            "rename the folder")])  # fmt: skip
            found.append(Path(folder, LEAF))
    return found
