"""Files as the step contract sees them: noted with size, digest and time, checked before reuse, replaced in one move."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from urllib.parse import unquote

from pydantic import ValidationError

from hub_steps.contract import RESULT_FILE, FileEntry, Result, StepError
from hub_steps.digest import file_digest


def local_path(uri: str) -> Path:
    """Return the path of a `file://` URI.

    Raises StepError for another kind of location.
    """
    scheme, _, path = uri.partition("://")
    if scheme != "file" or not path.startswith("/"):
        raise StepError(f"cannot use the location '{uri}': this version of hubc reads and writes file:// folders")
    return Path(unquote(path))


def read_result(folder: Path) -> Result:
    """Return the completion marker of a step's output.

    Raises StepError if there is none, or none that can be read.
    """
    try:
        return Result.model_validate_json((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise StepError(f"cannot read {folder / RESULT_FILE}: {error}") from None


def file_entry(path: Path, name: str) -> FileEntry:
    """Return size, digest and time of a file, under the name by which it is known."""
    state = path.stat()
    return FileEntry(path=name, size=state.st_size, sha256=file_digest(path), modified_ns=state.st_mtime_ns)


def write_durably(path: Path, text: str) -> None:
    """Replace a file in one move, so that no reader and no power cut ever sees half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def is_disk_full(error: Exception) -> bool:
    """Tell whether a full disk is behind an error: libraries raise types of their own that only quote the system."""
    return getattr(error, "errno", None) == errno.ENOSPC or os.strerror(errno.ENOSPC) in str(error)


def entry_damage(entry: FileEntry, folder: Path) -> str | None:
    """Return what happened to a file since it was noted, or None if its content is the same.

    A file whose size and time are as they were is taken as unchanged; any other is read.
    """
    path = folder / entry.path
    try:
        state = path.stat()
    except OSError:
        return f"{entry.path} is missing"
    if state.st_size != entry.size:
        return f"{entry.path} has {state.st_size} bytes instead of {entry.size}"
    if state.st_mtime_ns != entry.modified_ns and file_digest(path) != entry.sha256:
        return f"{entry.path} has changed"
    return None
