"""Files in a storage, by URI: `file://` folders, and `s3://` buckets as the AWS_* variables say how to reach them.

Names below a URI are relative paths with `/`. All functions raise StepError if the storage refuses or lacks what is asked
for, and RetryableError if it does not answer, is overloaded or fails.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.contract import StepError
from hub_steps.files import local_path, write_durably
from hub_steps.objects import Bucket

if TYPE_CHECKING:
    from collections.abc import Iterable


def is_remote(uri: str) -> bool:
    """Tell whether a URI names objects in a store, and not files on this machine.

    Raises StepError for a kind of location that is neither.
    """
    if uri.startswith("s3://"):
        Bucket.check(uri)
        return True
    if not uri.startswith("file:///"):
        raise StepError(f"cannot use the location '{uri}': this version of hubc reads and writes file:// and s3://")
    return False


def read_text(uri: str, errors: str = "strict") -> str:
    """Return the text of a file; StepError if it is not there or, unless `errors` is `replace`, is no UTF-8."""
    try:
        return read_bytes(uri).decode(errors=errors)
    except UnicodeDecodeError as error:
        raise StepError(f"{uri} is not text: {error}") from None


def read_bytes(uri: str) -> bytes:
    """Return the content of a file; StepError if it is not there."""
    try:
        return Bucket.of(uri).read(uri) if is_remote(uri) else local_path(uri).read_bytes()
    except OSError as error:
        raise StepError(f"cannot read {uri}: {error.strerror or error}") from None


def write_text(uri: str, text: str) -> None:
    """Replace a file, so that no reader ever sees half of it."""
    if is_remote(uri):
        Bucket.of(uri).write(uri, text.encode())
        return
    path = local_path(uri)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, text)


def exists(uri: str) -> bool:
    """Tell whether a file is there; a folder in an object store is none."""
    return size(uri) is not None


def size(uri: str) -> int | None:
    """Return the bytes of a file, or None if it is not there."""
    if is_remote(uri):
        return Bucket.of(uri).size(uri)
    path = local_path(uri)
    return path.stat().st_size if path.is_file() else None


def sizes(uri: str) -> dict[str, int]:
    """Return the size in bytes of every file below a folder; none if there is no such folder."""
    if is_remote(uri):
        return Bucket.of(uri).sizes(uri)
    folder = local_path(uri)
    return {name: (folder / name).stat().st_size for name in file_names(folder)}


def remove(uri: str, names: Iterable[str]) -> None:
    """Remove files below a folder, one after the other; what is not there does not matter."""
    for name in names:
        if is_remote(uri):
            Bucket.of(uri).remove(f"{uri}/{name}")
        else:
            (local_path(uri) / name).unlink(missing_ok=True)


def upload(folder: Path, uri: str, names: Iterable[str]) -> None:
    """Copy files of a folder on this machine to the same names below `uri`, one after the other.

    Raises OSError if one is not there to be read.
    """
    for name in names:
        if is_remote(uri):
            Bucket.of(uri).upload(folder / name, f"{uri}/{name}")
        else:
            _copy(folder / name, local_path(uri) / name)


def download(uri: str, folder: Path, names: Iterable[str] | None = None) -> None:
    """Copy files below `uri`, all of them unless `names` are given, to the same names in a folder on this machine.

    Raises StepError for a name that leads out of the folder, and OSError if the folder cannot be written.
    """
    for name in sizes(uri) if names is None else names:
        target = folder / name
        if not Path(os.path.normpath(target)).is_relative_to(os.path.normpath(folder)):
            raise StepError(f"{uri} holds a file with the name '{name}', which leads out of its folder")
        if is_remote(uri):
            Bucket.of(uri).download(f"{uri}/{name}", target)
        else:
            _copy(local_path(uri) / name, target)


def file_names(folder: Path) -> list[str]:
    """Return the relative path of every file below a folder on this machine."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, draft)
    draft.replace(target)
