"""Where a step's files are while it works, and how they become its output when it is done."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol

from hub_steps import storage
from hub_steps.contract import RESULT_FILE, RetryableError, StepError, message
from hub_steps.digest import digest
from hub_steps.files import local_path
from hub_steps.remains import CHECKPOINTS, SCRATCH, Remains


class Place(Protocol):
    """Gives a step a folder on this machine to work in."""

    folder: Path
    passing: Path
    """Folder for what no other attempt has a use for."""
    ready: Path | None
    """Folder that takes hard links of whole checkpoints, if those must be carried to where the next attempt finds them."""

    def is_done(self) -> bool:
        """Tell whether the output exists with its completion marker."""

    def open(self) -> None:
        """Make the folder, with nothing in it but what an earlier attempt left for this one."""

    def commit(self) -> None:
        """Make the folder the output: whoever sees the completion marker sees all of it."""

    def close(self, *, has_ended: bool) -> None:
        """Leave the folder; unless the step's work has ended, what the next attempt may use is kept."""


def place(output: str, node: int, nodes: int) -> Place:
    """Return the place for an output URI, as one of several nodes sees it."""
    return StoredPlace(output, node, nodes) if storage.is_remote(output) else LocalPlace(local_path(output), node)


class LocalPlace:
    """The folder `<output>.partial`, renamed to `<output>`; nodes share it."""

    def __init__(self, output: Path, node: int) -> None:
        self.output = output
        self.folder = output.with_name(output.name + ".partial")
        self.passing = self.folder / SCRATCH
        self.ready: Path | None = None
        self.is_first_node = node == 0

    def is_done(self) -> bool:
        return (self.output / RESULT_FILE).is_file()

    def open(self) -> None:
        """Only the first node prepares the folder."""
        if not self.is_first_node:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for entry in self.folder.iterdir():
            if entry.name not in (CHECKPOINTS, SCRATCH):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def commit(self) -> None:
        if self.output.exists():
            shutil.rmtree(self.output)
        self.folder.rename(self.output)

    def close(self, *, has_ended: bool) -> None:
        """There is nothing to do: the folder is where it will be looked for."""


class StoredPlace:
    """A folder of this node's own below $TMPDIR, uploaded to the object store, the completion marker last."""

    def __init__(self, output: str, node: int, nodes: int) -> None:
        self.output = output.rstrip("/")
        # A fixed name: a container that is restarted after it was killed finds what it left, and makes room.
        self.own = Path(tempfile.gettempdir()) / f"hubc-{digest([self.output, node])[:16]}"
        self.folder = self.own / "work"
        self.passing = self.own / "passing"
        self.ready: Path | None = self.own / "ready"
        self.remains = Remains(self.folder, self.own / "ready", f"{self.output}.partial", node, nodes)
        self._lock: int | None = None

    def is_done(self) -> bool:
        return storage.exists(f"{self.output}/{RESULT_FILE}")

    def open(self) -> None:
        """Raises RetryableError if another process of this machine is at the same work."""
        self._lock_own()
        for folder in (self.folder, self.passing, self.own / "ready"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.remains.restore()
        self.remains.start()

    def commit(self) -> None:
        """Upload all files; what an attempt that was cut off uploaded is replaced or removed."""
        self.remains.stop()
        names = [name for name in storage.file_names(self.folder) if name != RESULT_FILE]
        storage.remove(self.output, [RESULT_FILE])
        storage.upload(self.folder, self.output, names)
        there = storage.sizes(self.output)
        storage.remove(self.output, there.keys() - set(names))
        if odd := [name for name in names if there.get(name) != (self.folder / name).stat().st_size]:
            raise RetryableError(f"{self.output}/{odd[0]} did not arrive whole")
        storage.upload(self.folder, self.output, [RESULT_FILE])
        try:
            self.remains.remove()
        except StepError as error:
            message(f"the output is whole, but {self.output}.partial is still there: {error}")

    def close(self, *, has_ended: bool) -> None:
        if self._lock is None:
            return
        self.remains.stop() if has_ended else self.remains.finish()
        shutil.rmtree(self.own, ignore_errors=True)
        os.close(self._lock)
        self._lock = None

    def _lock_own(self) -> None:
        self.own.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.own / "lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RetryableError(f"another process is at work on this step in {self.own}") from None
        self._lock = descriptor
