"""A published folder on this machine: replaced as a whole, and only if hubc published it."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hub_steps.digest import file_digest
from hub_steps.files import file_entry
from hub_steps.publish.manifest import PROVENANCE_FILE, changed, foreign_files, not_ours, parse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hub_steps.contract import FileEntry


class Folder:
    """Where a model is published on a disk."""

    def __init__(self, path: Path) -> None:
        self.path, self.uri = path, path.as_uri()

    def __str__(self) -> str:
        return str(self.path)

    def published(self) -> dict[str, Any] | None:
        """Return the provenance of what is published, or None if the folder is empty or not there.

        Raises StepError if it holds anything else, or if something was changed since: neither must be lost.
        """
        self._recover()
        found = self.described()
        for name, digest in found["files"].items() if found else ():
            if (self.path / name).exists() and file_digest(self.path / name) != digest:
                raise changed(self, name)
        return found

    def described(self) -> dict[str, Any] | None:
        """Return what `published` does, without reading the files, which may take minutes, and without any change.

        Raises StepError if the folder holds files that hubc did not publish.
        """
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return None
        found = self._provenance()
        foreign = foreign_files((str(path.relative_to(self.path)) for path in _files(self.path)), found)
        if found is None or foreign:
            raise not_ours(self, foreign)
        return found

    def is_whole(self, provenance: dict[str, Any]) -> bool:
        """Tell whether every file that the provenance names is there."""
        return all((self.path / name).is_file() for name in provenance["files"])

    def text(self, name: str) -> str:
        """Return the text of a file that is published; empty if it is not there."""
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except OSError:
            return ""

    def names(self) -> list[str]:
        """Return the names of the files that a version consists of; none if no version is there."""
        if not (self.path / PROVENANCE_FILE).is_file():
            return []
        return [str(path.relative_to(self.path)) for path in _files(self.path)]

    @contextmanager
    def drafting(self) -> Iterator[Path]:
        """Yield the path of a folder to make the next version in; one process at a time publishes here.

        The lock is the parent's, so that nothing is left beside the folder.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            draft = self.path.with_name(f".{self.path.name}.new")
            shutil.rmtree(draft, ignore_errors=True)
            yield draft
        finally:
            os.close(descriptor)

    def put(self, draft: Path) -> None:
        """Put the next version in the place of the one that is there."""
        old = self._old()
        shutil.rmtree(old, ignore_errors=True)
        if self.path.exists():
            self.path.rename(old)
        draft.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)

    def entries(self) -> tuple[FileEntry, ...]:
        """Return what is published, file by file."""
        return tuple(file_entry(path, str(path)) for path in sorted(self.path.rglob("*")) if path.is_file())

    def _recover(self) -> None:
        """Bring back what `put` had moved away when it was killed between its two moves."""
        if not self.path.exists() and self._old().is_dir():
            self._old().rename(self.path)

    def _provenance(self) -> dict[str, Any] | None:
        try:
            return parse((self.path / PROVENANCE_FILE).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return None

    def _old(self) -> Path:
        return self.path.with_name(f".{self.path.name}.old")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
