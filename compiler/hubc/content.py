"""What files of this machine are known by: their content, which is the same wherever it lies."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hub_steps.digest import digest
from hubc.lookups import remembered
from hubc.repository import is_below

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILES = 10_000
MAX_BYTES = 1 << 40
"""Bytes of one model or data file that are read; the largest open models have about as many."""
REMEMBERED_BYTES = 1 << 20
"""Files from this size on are not read again before their size, time or number changes."""
_CHUNK_BYTES = 1 << 20

_is_read: ContextVar[bool] = ContextVar("is_read", default=True)


@contextmanager
def unread() -> Iterator[None]:
    """Let `content_digest` look at files without reading them; then it tells places apart, and not contents."""
    token = _is_read.set(False)
    try:
        yield
    finally:
        _is_read.reset(token)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read; a pipe, which may never answer, or a device, which may never end, is not waited for.

    Raises OSError if it cannot be opened, and ValueError if it is something else.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        yield file


@remembered
def content_digest(place: Path) -> str:
    """Return a digest of the names and contents below a folder, or of the content of one file, as 64 hexadecimal digits.

    Raises OSError if something cannot be read, and ValueError if it holds anything but regular files, links that lead out,
    more than MAX_FILES files or more than MAX_BYTES.
    """
    files = _files(place) if place.is_dir() else {"": place}
    if sum(_size(path, name) for name, path in files.items()) > MAX_BYTES:
        raise ValueError(f"it holds more than {MAX_BYTES >> 40} TiB")
    if not _is_read.get():
        return digest([str(place)])
    return digest(sorted([name, _digest(path)] for name, path in files.items()))


def _files(folder: Path) -> dict[str, Path]:
    """Return what is below a folder by its path from there; folders count as files, so that an empty maze has an end."""
    # Snapshots in the Hugging Face cache are links to the files of their model that lie beside them.
    top = os.path.realpath(folder.parent.parent if folder.parent.name == "snapshots" else folder)
    found: dict[str, Path] = {}
    waiting, number = [folder], 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                number += 1
                if number > MAX_FILES:
                    raise ValueError(f"it holds more than {MAX_FILES} files")
                name = os.path.relpath(entry.path, folder)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif entry.is_symlink() and not is_below(os.path.realpath(entry.path), top):
                    raise ValueError(f"'{name}' is a link that leads out of it")
                else:
                    found[name] = Path(entry.path)
    return found


def _size(path: Path, name: str) -> int:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise ValueError(f"'{name}' is not a regular file" if name else "it is not a regular file")
    return state.st_size


def _digest(path: Path) -> str:
    state = path.stat()
    if state.st_size < REMEMBERED_BYTES:
        return _sha256(path)
    known = [str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ino]
    memory = _cache() / "digests" / hashlib.sha256(repr(known[0]).encode()).hexdigest()
    with suppress(OSError, ValueError, IndexError):
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        if remembered[0] == known:
            return str(remembered[1])
    found = _sha256(path)
    # Whoever cannot write there only computes it again.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        draft = memory.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps([known, found]), encoding="utf-8")
        draft.replace(memory)
    return found


def _sha256(path: Path) -> str:
    """Return the digest of as many bytes as a file says that it has; those of `/proc` say none and may never end."""
    found = hashlib.sha256()
    with opened(path) as file:
        left = os.fstat(file.fileno()).st_size
        while chunk := file.read(min(left, _CHUNK_BYTES) or 1):
            left -= len(chunk)
            if left < 0:
                break
            found.update(chunk)
    if left:
        raise ValueError("it changes while it is read")
    return found.hexdigest()


def _cache() -> Path:
    """Return hubc's cache folder, the one that the steps use."""
    if chosen := os.environ.get("HUBC_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubc"
