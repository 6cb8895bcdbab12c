"""Completion in real shells: what the script of `hubc completion` offers after a few words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Hubc

BIN = str(Path(sys.executable).parent)
ASK = {
    "bash": 'COMP_LINE="$LINE"; COMP_POINT=${#LINE}; COMP_WORDS=($LINE); COMP_TYPE=9\n'
    "$(complete -p hubc | sed 's/.*-F \\([^ ]*\\).*/\\1/') hubc; printf '%s\\n' \"${COMPREPLY[@]}\"",
    "fish": 'complete --do-complete "$LINE"',
}


def offered(repo: Path, shell: str, line: str) -> list[str]:
    """Return what a shell offers at the end of a line."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    load = "hubc completion fish | source" if shell == "fish" else f'eval "$(hubc completion {shell})"'
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "LINE": line}
    done = subprocess.run([shell, "-c", f"{load}\n{ASK[shell]}"], cwd=repo, env=environment, capture_output=True, text=True,
                          check=True, timeout=100)  # fmt: skip
    assert done.stderr == ""
    return [word.split("\t")[0].strip() for word in done.stdout.splitlines() if word]


@pytest.mark.parametrize("shell", ASK)
@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("hubc va", ["validate"]),
        ("hubc validate --fo", ["--format"]),
        ("hubc validate --format ", ["text", "json", "github", "sarif"]),
        ("hubc plan --platform ", ["example-cluster", "local"]),
        ("hubc plan specs/pipelines/q", ["specs/pipelines/quickstart.yaml"]),
        ("hubc status ", ["moon-1"]),
        ("hubc retry m", ["moon-1"]),
        ("hubc su", ["submit"]),
        ("hubc submit specs/pipelines/q", ["specs/pipelines/quickstart.yaml"]),
        ("hubc wait moon-1 --platform l", ["local"]),
        ("hubc explain spec.train.lora_", ["spec.train.lora_r", "spec.train.lora_alpha"]),
        ("hubc explain yaml-t", ["yaml-tag", "yaml-too-deep"]),
        ("hubc do", ["doctor"]),
        ("hubc doctor --platform ", ["kind", "local"]),
        ("hubc doctor specs/pipelines/q", ["specs/pipelines/quickstart.yaml"]),
        ("hubc completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_words(repo: Path, shell: str, line: str, some: list[str]) -> None:
    (repo / ".hubc" / "runs" / "moon-1").mkdir(parents=True)
    words = offered(repo, shell, line)
    assert set(some) <= set(words)
    assert all(word.startswith(line.rpartition(" ")[2]) for word in words)


@pytest.mark.parametrize(("shell", "registers"), [("bash", "complete "), ("zsh", "#compdef hubc"), ("fish", "complete ")])
def test_script(hubc: Hubc, shell: str, registers: str) -> None:
    done = hubc("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert registers in done.stdout


def test_unknown_shell(hubc: Hubc) -> None:
    assert hubc("completion", "cmd").returncode == 2


def test_nothing_of_it_is_loaded_otherwise(repo: Path) -> None:
    program = "import sys; from hubc.cli import main; main(['validate']); sys.exit('argcomplete' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=repo, check=False, timeout=100).returncode == 0
