"""A repository that a test runs `hubc` in, as a user does: real processes of the command line and of the steps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
LEAF = ROOT / "specs" / "taxonomy" / "knowledge" / "software" / "hubc" / "runs" / "qna.yaml"
LIMIT_SECONDS = 120.0
HEAD = """\
apiVersion: hubc/v1
kind: Pipeline
metadata: {{name: {name}}}
spec:
  model: {{location: 'file://{model}'}}
  taxonomy: {{path: specs/taxonomy}}
  generate:
    teacher: {{endpoint: {{url: '{teacher}', model: teacher{key}}}}}
    samples_per_seed: {samples}
    request_timeout_seconds: 100
"""


class Project:
    """A repository with one leaf of knowledge, and whatever specs a test writes into it."""

    def __init__(self, folder: Path, model: Path, teacher: str) -> None:
        self.folder, self.model, self.teacher = folder, model, teacher
        self.started: list[subprocess.Popen[str]] = []
        self.runs = folder / ".hubc" / "runs"
        self.outputs = folder / ".hubc" / "outputs"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBC_")}
        self.environment["HUBC_CACHE"] = str(folder / "cache")
        (folder / ".git").mkdir(parents=True)
        leaf = folder / "specs" / "taxonomy" / "knowledge" / "runs"
        leaf.mkdir(parents=True)
        shutil.copy(LEAF, leaf)

    def spec(self, name: str = "small", more: str = "", *, samples: int = 1, key: str = "") -> str:
        """Write a spec, with only a generate step unless `more` says more, and return its path."""
        path = self.folder / "specs" / f"{name}.yaml"
        text = HEAD.format(name=name, model=self.model, teacher=self.teacher, samples=samples, key=key)
        path.write_text(text + more, encoding="utf-8")
        return str(path.relative_to(self.folder))

    def hubc(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        command = [sys.executable, "-m", "hubc", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment | variables, capture_output=True, text=True,
                              check=False, timeout=LIMIT_SECONDS, stdin=subprocess.DEVNULL)  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def good(self, *arguments: str, **variables: str) -> str:
        """Run the command line and return what it printed; it must end well."""
        done = self.hubc(*arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run the command line and return the data that it printed."""
        return json.loads(self.good(*arguments, "--format", "json"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command line."""
        process = subprocess.Popen(
            [sys.executable, "-m", "hubc", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def newest(self) -> dict[str, Any]:
        """Return the newest run."""
        run: dict[str, Any] = self.json("status")
        return run

    def processes(self, step: str = "") -> list[psutil.Process]:
        """Return the processes of runs in this repository, or of one step."""
        found = []
        for process in psutil.process_iter():
            try:
                mark = process.environ().get("HUBC_OWNER", "")
                if mark.startswith(f"{self.runs}/") and mark.endswith(step) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    def wait_until_nothing_runs(self) -> None:
        until(lambda: not self.processes(), "the processes of the steps end")

    def close(self) -> None:
        """End what a test that failed may have left."""
        for process in self.started:
            process.kill()
            process.communicate()
        for left in self.processes():
            left.kill()


def states(run: dict[str, Any]) -> dict[str, str]:
    """Return the state of every step of a run."""
    return {step["id"]: step["state"] for step in run["steps"]}


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for a process and return its exit code and what it printed."""
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def kill(process: psutil.Process | subprocess.Popen[str]) -> None:
    """Kill a process the way nothing can catch."""
    process.send_signal(signal.SIGKILL)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; how long it takes is not what is tested."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)
