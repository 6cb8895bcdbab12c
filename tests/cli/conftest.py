"""The command line as a user starts it: a process of its own, in a repository of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Hubc(Protocol):
    """Run the command line to its end; it must not end with a traceback."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def hubc(repo: Path, tmp_path: Path) -> Hubc:
    empty = {"HUBC_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "hub"), "COLUMNS": "120"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBC_")} | empty

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hubc", *arguments]
        done = subprocess.run(command, cwd=repo, env=environment, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=100)  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        assert not (repo / ".hubc").exists(), "compiling writes nothing"
        return done

    return run
