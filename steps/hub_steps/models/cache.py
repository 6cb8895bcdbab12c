"""The model cache: each entry is made once, under a lock, and checked before it is used."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.contract import FileEntry, message
from hub_steps.digest import digest
from hub_steps.files import entry_damage, file_entry, write_durably

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKER = ".complete.json"


def default_cache() -> Path:
    """Return `HUBC_CACHE`, or the folder `hubc` in the user's cache folder (XDG base directory specification)."""
    if chosen := os.environ.get("HUBC_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubc"


def cached(cache: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of the entry `name`, made by `make` in an empty folder if there is no whole one.

    Two processes that want one entry at once make it once. A damaged entry is made again.
    """
    folder = cache / "models" / digest(name)[:32]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        fault = damage(folder)
        if fault is None:
            return folder
        if folder.exists():
            message(f"the cached copy of {name} is damaged ({fault}); making it again")
            shutil.rmtree(folder)
        draft = folder.with_suffix(".partial")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        make(draft)
        _mark(draft, name)
        draft.rename(folder)
    return folder


def damage(folder: Path) -> str | None:
    """Return what is wrong with an entry, or None if it is whole.

    A file whose size and time are as they were is taken as unchanged; any other is read and its digest compared.
    """
    try:
        entries = [FileEntry.model_validate(entry) for entry in json.loads((folder / MARKER).read_text())["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return f"no {MARKER}"
    return next(filter(None, (entry_damage(entry, folder) for entry in entries)), None)


def _mark(folder: Path, name: str) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = [file_entry(path, str(path.relative_to(folder))).model_dump() for path in files]
    write_durably(folder / MARKER, json.dumps({"name": name, "files": entries}, indent=2))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        message("waiting for another process that is preparing the same model")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
