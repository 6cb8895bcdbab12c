"""Steps as their callers run them: a request file, a process, its events, exit code and files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IDENTITY = {"run": "run-1", "pipeline": "animals", "spec_digest": "5" * 64, "plan_digest": "9" * 64}


@dataclass(frozen=True)
class Done:
    """An ended step process."""

    code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every line of standard output, which must all be JSON."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def messages(self) -> str:
        return "\n".join(event["text"] for event in self.events if event["hubc"] == "message")

    @property
    def error(self) -> str:
        """The one message of a step that failed cleanly: no traceback, one `error:` line."""
        assert "Traceback" not in self.stderr, self.stderr
        lines = [line for line in self.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.stderr
        return lines[0].removeprefix("error: ")


def write_request(
    folder: Path,
    kind: str,
    parameters: dict[str, Any],
    inputs: dict[str, Any],
    output: Path | str | None = None,
    **extra: Any,
) -> Path:
    """Write a request into `folder`; the output is the folder `out` beside it, unless a folder or a URI is given."""
    folder.mkdir(parents=True, exist_ok=True)
    output = output or folder / "out"
    request = {
        "kind": kind, "step": kind, "key": "e" * 64, "parameters": parameters, "inputs": inputs,
        "output": output if isinstance(output, str) else output.as_uri(), "identity": IDENTITY, **extra,
    }  # fmt: skip
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    return path


def start(kind: str, request: Path | str, **environment: str) -> subprocess.Popen[str]:
    """Start a step without this process's secrets and proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUBC_SECRET_", "PET_", "http"))}
    return subprocess.Popen(
        [sys.executable, "-m", "hub_steps", kind, "--request", str(request)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=kept | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "NO_PROXY": "*"} | environment,
    )


def finish(process: subprocess.Popen[str]) -> Done:
    """Wait for a step and return how it ended; one that hangs is killed, and what it said shown."""
    try:
        stdout, stderr = process.communicate(timeout=200)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        raise AssertionError(f"the step hangs: {stdout[-5000:]} {stderr[-5000:]}") from None
    return Done(process.returncode, stdout, stderr)


def finish_all(processes: Sequence[subprocess.Popen[str]]) -> list[Done]:
    """Wait for the nodes of a step, all at once: one that nobody reads would make its peers wait."""
    with ThreadPoolExecutor(len(processes)) as pool:
        return list(pool.map(finish, processes))


def run(kind: str, request: Path | str, **environment: str) -> Done:
    return finish(start(kind, request, **environment))


def until_event(process: subprocess.Popen[str], word: str, count: int = 1) -> None:
    """Read a step's output until `count` events have shown `word`."""
    assert process.stdout
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        count -= word in line
        if not count:
            return
    _, errors = process.communicate()
    raise AssertionError(f"the step ended before {word!r}: {seen} {errors}")


def result(folder: Path) -> dict[str, Any]:
    """Return the completion marker of a step's output."""
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
