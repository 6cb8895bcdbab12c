"""The live table on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_project import Project
    from local_teacher import Teacher

STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(project: Project, *arguments: str) -> tuple[int, str, str]:
    """Run the command line on a terminal of its own; return exit code, standard output and what the terminal got."""
    terminal, side = pty.openpty()
    environment = project.environment | {"TERM": "xterm-256color", "COLUMNS": "250", "LINES": "50"}
    command = [sys.executable, "-m", "hubc", *arguments]
    with subprocess.Popen(
        command, cwd=project.folder, env=environment, stdin=side, stdout=subprocess.PIPE, stderr=side, text=True
    ) as process:
        os.close(side)
        shown = b""
        with suppress(OSError):  # Linux reports the end of a terminal as an input/output error.
            while chunk := os.read(terminal, 65536):
                shown += chunk
        os.close(terminal)
        out, _ = process.communicate()
    return process.returncode, out, shown.decode()


def test_live_table(project: Project) -> None:
    code, out, shown = on_terminal(project, "run", project.spec())
    assert code == 0
    assert "Run small-" in out
    assert "\x1b[" in shown
    assert "\x1b" not in out
    plain = STEERING.sub("", shown)
    assert "▶  generate" in plain
    assert re.search(r"✓  generate +\d+ s +5 pairs from 5 requests", plain)
    assert "\x1b[?25h" in shown, "the cursor comes back"


def test_reused_step_says_since_when(project: Project) -> None:
    project.good("run", project.spec())
    code, _, shown = on_terminal(project, "run", "specs/small.yaml")
    first = project.json("list")[1]["id"]
    assert code == 0
    assert re.search(rf"=  generate +unchanged since {first}: 5 pairs", STEERING.sub("", shown))


def test_what_a_step_says_is_neither_markup_nor_control(project: Project, teacher: Teacher) -> None:
    teacher.status, teacher.error = 401, "[bold red]no[/] [/nothing] \x1b]0;title\x07 \x1b[2J"
    code, _, shown = on_terminal(project, "run", project.spec())
    assert code == 3
    assert re.search(r"✗  generate +\d+ s +the teacher at .*\[bold red\]no\[/\] \[/nothing\]", STEERING.sub("", shown))
    assert "\x1b]0;" not in shown
    assert "\x1b[2J" not in shown


def test_reader_of_the_progress_that_has_gone(project: Project) -> None:
    """A run goes on when nobody reads how far it is."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hubc", "run", project.spec()]
    done = subprocess.run(command, cwd=project.folder, env=project.environment, stdout=subprocess.PIPE, stderr=writer,
                          text=True, check=False, timeout=100)  # fmt: skip
    os.close(writer)
    assert done.returncode == 0
    assert "5 pairs from 5 requests" in done.stdout
