"""What outlives an attempt whose output is in an object store: scratch files and checkpoints, in `<output>.partial/`.

A checkpoint counts once every node that wrote a part of it has left its marker, which it writes last; the marker names the
node's files and their sizes.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hub_steps import storage
from hub_steps.contract import Record, StepError, message

if TYPE_CHECKING:
    from pathlib import Path

CHECKPOINTS = "checkpoints"
"""Folder in the output that outlives a failed attempt; once the step is done it is gone, unless the outcome keeps it."""
SCRATCH = "scratch"
"""Folder in the output that outlives a failed attempt, and is gone once the step is done."""
MARKERS = "uploaded"
PASS_SECONDS = 1
SCRATCH_SECONDS = 15
"""A scratch file that grows is uploaded whole each time, so not too often."""
SETTLED_SECONDS = 5
"""A checkpoint that a user's own script wrote is taken for whole when it has not changed for so long."""
_NAME = re.compile(r"checkpoint-(\d{1,12})")


class Part(Record):
    """What one node uploaded of a checkpoint: sizes in bytes by relative path."""

    nodes: int
    files: dict[str, int]


class _EndingError(Exception):
    """The step is ending, so that what is under way is done once more, or has no use any more."""


class Remains:
    """Uploads in the background what the next attempt may use, and brings back what the last one left."""

    def __init__(self, folder: Path, ready: Path, uri: str, node: int, nodes: int) -> None:
        self.folder, self.ready, self.uri, self.node, self.nodes = folder, ready, uri, node, nodes
        self._uploaded: dict[str, str | None] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        self._scratch_at = 0.0
        self._hands_over = False
        """Whether checkpoints are handed over when they are whole, as hubc's own training does."""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_told = False

    def restore(self) -> None:
        """Download the newest whole checkpoint to go on from; the first node also gets all else, and removes halves."""
        there = storage.sizes(self.uri)
        whole = {group: self._whole(group, there) for group in (SCRATCH, CHECKPOINTS)}
        wanted = whole[SCRATCH][-1:]
        if self.node == 0:
            for group, names in whole.items():
                for name in self._names(group, there):
                    if name not in names:
                        self._remove(name, there)
            files = [name for name in there if name.count("/") == 1 and name.startswith(f"{SCRATCH}/")]
            storage.download(self.uri, self.folder, files)
            wanted = [*whole[CHECKPOINTS], *wanted]
        for path in wanted:
            storage.download(self.uri, self.folder, [name for name in there if name.startswith(f"{path}/")])
        if self.node == 0:
            self._uploaded = {path: _state(self.folder / path) for path in (*wanted, *self._scratch_files())}

    def start(self) -> None:
        """Begin to upload in the background."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Upload no more; what is under way is finished."""
        self._ended.set()
        if self._thread:
            self._thread.join()

    def finish(self) -> None:
        """Upload everything that is there, and no more after it; that this fails is told, not raised."""
        self.stop()
        self._ended.clear()
        self._try(is_last=True)
        self._ended.set()

    def remove(self) -> None:
        """Remove everything from the store; the work that it was for is done."""
        there = storage.sizes(self.uri)
        storage.remove(self.uri, sorted(there, key=lambda name: not name.startswith(f"{MARKERS}/")))

    def _run(self) -> None:
        while not self._ended.wait(PASS_SECONDS):
            self._try(is_last=False)

    def _try(self, *, is_last: bool) -> None:
        try:
            self._pass(is_last=is_last)
            self._is_told = False
        except _EndingError:
            return
        except (StepError, OSError) as error:
            if is_last or not self._is_told:
                message(f"what the next attempt may go on from is not stored: {error}")
            self._is_told = True

    def _pass(self, *, is_last: bool) -> None:
        # Those that are ready now, so that what is kept of the same step is stored before them.
        ready = sorted((path for path in self.ready.iterdir() if _NAME.fullmatch(path.name)), key=_step)
        self._hands_over = self._hands_over or bool(ready)
        if self.node == 0:
            self._upload_scratch(is_last=is_last)
            are_settled = [self._upload_kept(path, is_last=is_last) for path in self._kept()]
            if not all(are_settled):
                return
        for folder in ready:
            self._upload(SCRATCH, folder, self.nodes)
            shutil.rmtree(folder)
        if ready and self.node == 0:
            self._remove_old()

    def _scratch_files(self) -> list[str]:
        found = (self.folder / SCRATCH).glob("*")
        return [f"{SCRATCH}/{path.name}" for path in found if path.is_file()]

    def _kept(self) -> list[Path]:
        return sorted((path for path in (self.folder / CHECKPOINTS).glob("*") if _NAME.fullmatch(path.name)), key=_step)

    def _upload_scratch(self, *, is_last: bool) -> None:
        now = time.monotonic()
        if not is_last and now < self._scratch_at + SCRATCH_SECONDS:
            return
        self._scratch_at = now
        for name in self._scratch_files():
            state = _state(self.folder / name)
            if state is not None and state != self._uploaded.get(name):
                storage.upload(self.folder, self.uri, [name])
                self._uploaded[name] = state

    def _upload_kept(self, folder: Path, *, is_last: bool) -> bool:
        """Upload a checkpoint, if it is whole; return False if it is not."""
        name = f"{CHECKPOINTS}/{folder.name}"
        state = _state(folder)
        if state is None or state == self._uploaded.get(name):
            return True
        if not (is_last or self._hands_over or self._is_settled(name, state)):
            return False
        try:
            self._upload(CHECKPOINTS, folder, 1)
        except FileNotFoundError:
            if folder.exists():
                raise
            return True  # The training keeps only so many.
        self._uploaded[name] = state
        return True

    def _is_settled(self, name: str, state: str) -> bool:
        before, since = self._seen.get(name, ("", 0.0))
        if state != before:
            self._seen[name] = state, time.monotonic()
            return False
        return time.monotonic() >= since + SETTLED_SECONDS

    def _upload(self, group: str, folder: Path, nodes: int) -> None:
        marker = f"{MARKERS}/{group}/{folder.name}/{self.node}.json"
        storage.remove(self.uri, [marker])
        names = storage.file_names(folder)
        part = Part(nodes=nodes, files={name: (folder / name).stat().st_size for name in names})
        for name in names:
            if self._ended.is_set():
                raise _EndingError
            storage.upload(folder, f"{self.uri}/{group}/{folder.name}", [name])
        storage.write_text(f"{self.uri}/{marker}", part.model_dump_json())

    def _remove_old(self) -> None:
        there = storage.sizes(self.uri)
        whole = self._whole(SCRATCH, there)
        for path in self._names(SCRATCH, there):
            if whole and _step(path) < _step(whole[-1]):
                self._remove(path, there)
        local = {f"{CHECKPOINTS}/{folder.name}" for folder in self._kept()}
        for path in self._names(CHECKPOINTS, there):
            if path not in local:
                self._remove(path, there)

    def _remove(self, path: str, there: dict[str, int]) -> None:
        """Remove a checkpoint, its markers first."""
        markers = [name for name in there if name.startswith(f"{MARKERS}/{path}/")]
        storage.remove(self.uri, [*markers, *(name for name in there if name.startswith(f"{path}/"))])

    def _names(self, group: str, there: dict[str, int]) -> list[str]:
        """Return `group/checkpoint-STEP` for all of which anything is there, the oldest first."""
        below = re.compile(rf"(?:{MARKERS}/)?({group}/checkpoint-\d{{1,12}})/.+")
        return sorted({found[1] for name in there if (found := below.fullmatch(name))}, key=_step)

    def _whole(self, group: str, there: dict[str, int]) -> list[str]:
        return [path for path in self._names(group, there) if self._is_whole(path, there)]

    def _is_whole(self, path: str, there: dict[str, int]) -> bool:
        first = f"{MARKERS}/{path}/0.json"
        if first not in there or (part := self._part(first)) is None:
            return False
        markers = [f"{MARKERS}/{path}/{node}.json" for node in range(1, part.nodes)]
        if not there.keys() >= set(markers):
            return False
        parts = [part, *map(self._part, markers)]
        return all(
            found is not None and all(there.get(f"{path}/{name}") == size for name, size in found.files.items())
            for found in parts
        )

    def _part(self, marker: str) -> Part | None:
        try:
            return Part.model_validate_json(storage.read_text(f"{self.uri}/{marker}"))
        except ValidationError:
            return None


def _step(path: Path | str) -> int:
    return int(str(path).rpartition("-")[2])


def _state(path: Path) -> str | None:
    """Return what changes when a file, or any file in a folder, does; None if it is not there."""
    try:
        names = storage.file_names(path) if path.is_dir() else [""]
        states = {name: (path / name).stat() for name in names}
    except FileNotFoundError:
        return None
    return json.dumps({name: (state.st_size, state.st_mtime_ns) for name, state in states.items()})
