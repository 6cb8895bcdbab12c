"""A step's part of the run record: its log, as it is printed, and why it failed.

A record that cannot be written never fails the step: that is told once, on standard error.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps import storage
from hub_steps.contract import StepError, redact
from hub_steps.files import local_path
from hub_steps.tee import copied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_steps.endings import Ending

UPLOAD_SECONDS = 15
UPLOAD_BYTES_A_SECOND = 4 << 20
"""A log is uploaded whole each time, so that a large one is uploaded less often."""


class StepRecord:
    """The files of one step and node in the record folder `uri`."""

    def __init__(self, uri: str, step: str, node: int) -> None:
        self.uri, self.step, self.is_first_node = uri.rstrip("/"), step, node == 0
        self.log, self.failure = f"{step}.{node}.log", f"{step}.failure.json"
        self._stderr = os.dup(2)
        self._is_told = False

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Copy all that this process and its children print to the log, without secrets."""
        if self.is_first_node:
            self._try(lambda: storage.remove(self.uri, [self.failure]))
        with tempfile.TemporaryDirectory(prefix="hubc-log-", ignore_cleanup_errors=True) as name:
            is_remote = self.uri.startswith("s3://")
            folder = Path(name) if is_remote else local_path(self.uri)
            uploads = _Uploads(self, folder) if is_remote else None
            try:
                with copied(lambda data: self._try(lambda: _append(folder / self.log, data))):
                    yield
            finally:
                if uploads:
                    uploads.end()

    def fail(self, ending: Ending) -> None:
        """Write why the step failed, unless another node did: who fails first has the reason, the others fail with it."""
        told = {"step": self.step, "exit_code": int(ending.code), "error": redact(ending.error or ""), "time": time.time()}

        def write() -> None:
            if not storage.exists(f"{self.uri}/{self.failure}"):
                storage.write_text(f"{self.uri}/{self.failure}", json.dumps(told) + "\n")

        self._try(write)

    def _try(self, write: Callable[[], None]) -> None:
        try:
            write()
        except (StepError, OSError) as error:
            if not self._is_told:
                self._is_told = True
                os.write(self._stderr, f"warning: the run record is not complete: {redact(str(error))}\n".encode())


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


class _Uploads:
    """Uploads a log every few seconds, after what earlier attempts left of it."""

    def __init__(self, record: StepRecord, folder: Path) -> None:
        self.record, self.folder, self.path = record, folder, folder / record.log
        self.size = 0
        record._try(self._continue)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self.record._try(self._upload)

    def _continue(self) -> None:
        if storage.exists(f"{self.record.uri}/{self.record.log}"):
            storage.download(self.record.uri, self.folder, [self.record.log])
            self.size = self._size()

    def _run(self) -> None:
        while not self._ended.wait(max(UPLOAD_SECONDS, self._size() / UPLOAD_BYTES_A_SECOND)):
            self.record._try(self._upload)

    def _upload(self) -> None:
        if (size := self._size()) != self.size:
            storage.upload(self.folder, self.record.uri, [self.record.log])
            self.size = size

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0
