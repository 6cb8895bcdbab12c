"""What `hubc validate` and its sisters print of diagnostics: for people, in colour or not, and for programs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Hubc

SPEC = "specs/pipelines/quickstart.yaml"


@pytest.fixture
def broken(repo: Path) -> str:
    """Break one line of a spec, and return what is to be read of it."""
    path = repo / SPEC
    path.write_text(path.read_text().replace("    learning_rate:", "    learnin_rate:"))
    line = path.read_text().splitlines().index("    learnin_rate: 0.0005") + 1
    return (
        f"{SPEC}:{line}:5: error: unknown key 'learnin_rate' [unknown-key]\n"
        f"   |\n{line} |     learnin_rate: 0.0005\n   |     ^^^^^^^^^^^^\n"
        "   = help: did you mean 'learning_rate'?\n\n1 error in 1 file\n"
        "checks over the whole plan wait until these are mended\n"
    )


@pytest.fixture
def warned(repo: Path) -> None:
    """Put a comment into a spec that warrants a warning."""
    path = repo / SPEC
    path.write_text(path.read_text().replace("num_epochs: 3", "num_epochs: 3  # hubc: allow duplicate-text -- no reason"))


@pytest.mark.parametrize("command", ["validate", "plan", "render", "run"])
def test_every_command_says_it_the_same_way(hubc: Hubc, broken: str, command: str) -> None:
    done = hubc(command, SPEC)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", broken)


@pytest.mark.usefixtures("warned")
def test_warnings_stop_nothing(hubc: Hubc) -> None:
    done = hubc("validate", SPEC)
    assert (done.returncode, done.stdout) == (0, "1 file is good\n")
    assert "warning: 'duplicate-text' is silenced here" in done.stderr
    assert done.stderr.endswith("\n1 warning in 1 file\n")
    assert [found["severity"] for found in json.loads(hubc("validate", SPEC, "--format", "json").stdout)] == ["warning"]
    assert hubc("validate", SPEC, "--format", "github").stdout.startswith(f"::warning file={SPEC},line=")


@pytest.mark.usefixtures("broken")
def test_programs_read_standard_output(hubc: Hubc) -> None:
    for name in ("json", "github", "sarif"):
        done = hubc("validate", SPEC, "--format", name)
        assert (done.returncode, done.stderr) == (1, "")
        assert "unknown-key" in done.stdout


def test_good_specs_in_every_format(hubc: Hubc) -> None:
    shown = {name: hubc("validate", SPEC, "--format", name).stdout for name in ("json", "github", "sarif")}
    assert (shown["json"], shown["github"]) == ("[]\n", "")
    assert json.loads(shown["sarif"])["runs"][0]["results"] == []


def on_a_terminal(repo: Path, **environment: str) -> str:
    """Return what a terminal shows of the diagnostics of a broken spec."""
    leader, follower = pty.openpty()
    settings = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")} | environment
    command = [sys.executable, "-m", "hubc", "validate", SPEC]
    subprocess.run(command, cwd=repo, env=settings, stdin=subprocess.DEVNULL, stderr=follower, check=False, timeout=100)
    os.close(follower)
    text = os.read(leader, 1 << 16).decode().replace("\r\n", "\n")
    os.close(leader)
    return text


def test_colours_only_where_they_are_wanted(repo: Path, broken: str) -> None:
    assert "\x1b[1;31merror\x1b[0m" in on_a_terminal(repo, TERM="xterm", NO_COLOR="")
    assert on_a_terminal(repo, TERM="xterm", NO_COLOR="1") == broken
    assert on_a_terminal(repo, TERM="dumb") == broken
