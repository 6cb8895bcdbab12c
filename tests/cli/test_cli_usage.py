"""Help, wrong usage, readers that go away, and what it costs to start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Hubc

SPEC = "specs/pipelines/quickstart.yaml"
COMMANDS = ["init", "validate", "schema", "plan", "render", "run", "list", "status", "logs", "cancel", "delete", "report",
            "explain", "completion", "submit", "wait", "retry"]  # fmt: skip
HEAVY = {"hera", "torch", "transformers", "kubernetes", "rich", "openai", "peft", "huggingface_hub", "numpy", "jsonschema",
         "argcomplete"}  # fmt: skip
LOADED = """
import sys
from hubc.cli import main
try:
    main()
finally:
    sys.stderr.write("loaded: " + " ".join(sys.modules))
"""


def test_help(hubc: Hubc) -> None:
    done = hubc("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^    {command}\b", done.stdout, re.MULTILINE)
    assert "exit codes: 0 good, 1 the spec or plan has errors, 2 wrong usage, 3 the run failed" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(hubc: Hubc, command: str) -> None:
    done = hubc(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: hubc {command} ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["deploy"], "invalid choice: 'deploy'"),
        (["plan"], "the following arguments are required: SPEC"),
        (["plan", SPEC, "--format", "xml"], "invalid choice: 'xml'"),
        (["run", SPEC, "--parallel", "0"], "a whole number from 1 on is needed"),
        (["run", SPEC, "--parallel", "two"], "a whole number from 1 on is needed"),
        (["cancel"], "the following arguments are required: RUN"),
        (["wait"], "the following arguments are required: RUN"),
        (["submit", SPEC], "the following arguments are required: --platform"),
        (["submit", SPEC, "--platform", "moon"], "no platform 'moon'"),
        (["submit", SPEC, "--platform", "local", "--expect-digest", "c0ffee"], "at least its first 12 hexadecimal digits"),
        (["wait", "moon-1", "--timeout", "soon"], "a number of seconds is needed"),
        (["wait", "moon-1", "--timeout", "nan"], "a number of seconds is needed"),
        (["retry", "moon-1"], "no run 'moon-1'; the newest: none yet"),
        (["list", "--platform", "moon"], "no platform 'moon'"),
        (["logs", "moon-1", "--tail", "0"], "a whole number from 1 on is needed"),
        (["list", "--what"], "unrecognized arguments: --what"),
        (["plan", SPEC, "--platform", "moon"], "no platform 'moon'"),
        (["render", SPEC, "--platform", "local"], "platform 'local' is not a cluster"),
        (["plan", "specs/platforms/local.yaml"], "specs/platforms/local.yaml is a Platform"),
        (["plan", SPEC, "--platform", SPEC], f"{SPEC} is a Pipeline"),
        (["status", "../.."], "no run '../..'; the newest: none yet"),
        (["delete", ""], "no run ''; the newest: none yet"),
    ],
)
def test_wrong_usage(hubc: Hubc, arguments: list[str], message: str) -> None:
    done = hubc(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_version(hubc: Hubc) -> None:
    assert hubc("--version").stdout.startswith("hubc ")


@pytest.mark.parametrize("arguments", [["render", SPEC], ["--help"], ["list"], ["plan", SPEC]])
def test_reader_that_has_gone(repo: Path, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hubc", *arguments]
    done = subprocess.run(command, cwd=repo, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=100)
    os.close(writer)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("hubc: warning: ")]
    assert (done.returncode, lines) == (0, [])


@pytest.mark.parametrize("arguments", [["--help"], ["validate", SPEC], ["list"], ["init"]])
def test_start_is_light(repo: Path, arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, *arguments], cwd=repo, capture_output=True, text=True, check=False,
                          timeout=100)  # fmt: skip
    loaded = {name.split(".")[0] for name in done.stderr.partition("loaded: ")[2].split()}
    assert "hubc" in loaded
    assert loaded & HEAVY == set()
