"""What files of this machine are known by: their content, which is the same wherever it lies."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from itertools import islice
from pathlib import Path

from hub_steps.digest import digest, file_digest

MAX_FILES = 10_000
REMEMBERED_BYTES = 1 << 20
"""Files from this size on are not read again before their size, time or number changes."""


def content_digest(place: Path) -> str:
    """Return a digest of the names and contents below a folder, or of the content of one file, as 64 hexadecimal digits.

    Raises OSError if something cannot be read, and ValueError if there are more than MAX_FILES files.
    """
    if not place.is_dir():
        return digest([["", _digest(place)]])
    below = (Path(parent, name) for parent, _, names in os.walk(place) for name in names)
    paths = list(islice(below, MAX_FILES + 1))
    if len(paths) > MAX_FILES:
        raise ValueError(f"it holds more than {MAX_FILES} files")
    return digest(sorted([str(path.relative_to(place)), _digest(path)] for path in paths))


def _digest(path: Path) -> str:
    state = path.stat()
    if state.st_size < REMEMBERED_BYTES:
        return file_digest(path)
    known = [str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ino]
    memory = _cache() / "digests" / hashlib.sha256(repr(known[0]).encode()).hexdigest()
    with suppress(OSError, ValueError, IndexError):
        remembered = json.loads(memory.read_text(encoding="utf-8"))
        if remembered[0] == known:
            return str(remembered[1])
    found = file_digest(path)
    # Whoever cannot write there only computes it again.
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        draft = memory.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps([known, found]), encoding="utf-8")
        draft.replace(memory)
    return found


def _cache() -> Path:
    """Return hubc's cache folder, the one that the steps use."""
    if chosen := os.environ.get("HUBC_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubc"
