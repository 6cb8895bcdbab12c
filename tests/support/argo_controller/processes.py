"""Containers as processes of this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping

MARK = "STAND_IN_CONTAINER"
"""Every process of a container has this variable: some leave its session, and their parent may be gone."""
NOT_FOUND = 128


class Process:
    """One container's program. When it has ended, nothing that it started is left, as in a container."""

    def __init__(
        self, mark: str, command: list[str], environment: Mapping[str, str], folder: Path,
        log: Callable[[str], None], ended: Callable[[], None],
    ) -> None:  # fmt: skip
        self.exit_code: int | None = None
        self._mark, self._log, self._ended = mark, log, ended
        self._process = subprocess.Popen(
            command, cwd=folder, env={**environment, MARK: mark}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the first process only, as the kubelet does."""
        if self.exit_code is None:
            self._process.send_signal(number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._log(line)

    def _wait(self) -> None:
        code = self._process.wait()
        self._sweep()
        self._reader.join()
        self.exit_code = 128 - code if code < 0 else code
        self._ended()

    def _sweep(self) -> None:
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark:
                    process.kill()
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue


def command_of(command: list[str], programs: Mapping[str, list[str]]) -> list[str] | None:
    """Return a command that this machine can run, or None: `python` is the one that runs the tests."""
    if not command:
        return None
    if command[0] in programs:
        return [*programs[command[0]], *command[1:]]
    if command[0] in ("python", "python3"):
        return [sys.executable, *command[1:]]
    beside = Path(sys.executable).parent / command[0]
    found = str(beside) if beside.is_file() else shutil.which(command[0])
    return [found, *command[1:]] if found else None
