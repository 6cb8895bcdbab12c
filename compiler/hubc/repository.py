"""The Git repository that specs live in: its top folder, and the specs and leaves below a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.locations import is_private
from hubc.diagnostics import Diagnostic
from hubc.errors import SpecError
from hubc.lookups import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAF = "qna.yaml"


class OutsideError(ValueError):
    """A path that leads out of the repository, or to what git and hubc keep in it for themselves."""


@remembered
def find_root(start: Path) -> Path:
    """Return the top of the repository that holds the folder `start`: the nearest folder at or above it with `.git`.

    Without one it is the nearest with `.hubc`, or the current folder. A link in a repository leads to no other one.
    """
    above = Path(os.path.abspath(start))  # noqa: PTH100 - links must stay in the name
    folders = (above, *above.parents)
    tops = [folder for folder in folders if (folder / ".git").exists()] or [
        folder for folder in folders if (folder / ".hubc").is_dir()]  # fmt: skip
    return next((folder for folder in tops if not folder.is_symlink()), tops[0] if tops else Path.cwd()).resolve()


@remembered
def real_path(path: Path) -> str:
    """Return the path without links."""
    return os.path.realpath(path)


@remembered
def inside(root: Path, path: str) -> Path:
    """Return what is at a path from the repository's top on, there or not, as an absolute path without links.

    Raises OutsideError if it leads out, by its name or through a link, or to what git and hubc keep for themselves.
    """
    top = real_path(root)
    try:
        real = os.path.realpath(Path(top, path))
    except ValueError:  # a NUL
        raise OutsideError("the path holds a character that no path can") from None
    by_name = os.path.normpath(path)
    if by_name.startswith("/") or by_name.split("/")[0] == ".." or not is_below(real, top):
        raise OutsideError(f"'{path}' leads out of the repository")
    if is_private(path) or is_private(real[len(top) :]):
        raise OutsideError(f"'{path}' leads to what git or hubc keep for themselves")
    return Path(real)


def stay_inside(path: Path, root: Path, file: str) -> None:
    """Refuse a file that is in the repository by its name only; `file` is the name that diagnostics show.

    One that lies outside by its name, too, is what the user asked for. Raises SpecError.
    """
    top, real = real_path(root), real_path(path.parent)
    is_inside = is_below(real, top)
    if is_inside and not is_private(real[len(top) :]):
        return
    named = Path(os.path.abspath(path))  # noqa: PTH100 - links must stay in the name
    if is_inside or any(real_path(folder) == top for folder in named.parents):
        where = "to what git or hubc keep for themselves" if is_inside else "out of the repository"
        raise SpecError([Diagnostic(file, 1, 1, "path-outside-repository", "a folder of this path is a link that leads "
                                    f"{where}", "put the file itself into the repository")])  # fmt: skip


def is_below(path: str, top: str) -> bool:
    """Tell whether a path without links is that of a folder, or of something in it."""
    return os.path.join(path, "").startswith(os.path.join(top, ""))  # noqa: PTH118 - many times faster than pathlib


def display_name(path: Path) -> str:
    """Return the path as a user would type it here: relative to the current folder when below it."""
    here = f"{Path.cwd()}{os.sep}"
    return os.path.join(here, path).removeprefix(here)  # noqa: PTH118 - many times faster than pathlib


def name_in(root: Path, path: Path) -> str:
    """Return the path of a file from the repository's top on, whatever the current folder is; absolute if outside."""
    for known in (os.path.abspath(path), os.path.realpath(path)):  # noqa: PTH100 - links may stay in the name
        if is_below(known, str(root)):
            return os.path.relpath(known, root)
    return os.path.abspath(path)  # noqa: PTH100


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
