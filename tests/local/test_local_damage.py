"""Outputs that were damaged since they were finished: the plan says what is wrong, and the run makes them again."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from local_project import Project, states

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_teacher import Teacher


def edit(path: Path) -> None:
    """Change one character, and leave size as it was."""
    path.write_text("X" + path.read_text()[1:])


def not_a_result(path: Path) -> None:
    path.write_text('{"version": "hubc.steps/v1"}')


DAMAGE: list[tuple[str, Callable[[Path], object], str]] = [
    ("train.jsonl", lambda path: os.truncate(path, 10), "its output is damaged: train.jsonl has 10 bytes instead of "),
    ("train.jsonl", edit, "its output is damaged: train.jsonl has changed"),
    ("preview.md", os.unlink, "its output is damaged: preview.md is missing"),
    ("result.json", os.unlink, "its output has no readable completion marker"),
    ("result.json", not_a_result, "its output has no readable completion marker"),
    ("result.json", lambda path: path.write_bytes(b"\xff\x00"), "its output has no readable completion marker"),
    ("", shutil.rmtree, "never finished before"),
]


def test_damaged_output(project: Project, teacher: Teacher) -> None:
    spec = project.spec()
    project.good("run", spec)
    (output,) = (path for path in project.outputs.glob("small/generate/*") if path.is_dir())
    lines = sorted((output / "train.jsonl").read_text().splitlines())
    for file, harm, reason in DAMAGE:
        teacher.asked.clear()
        harm(output / file)
        (step,) = project.json("plan", spec)["steps"]
        assert (step["decision"]["action"], step["decision"]["run"]) == ("run", None), file
        assert step["decision"]["reason"].startswith(reason)
        project.good("run", spec)
        assert states(project.newest()) == {"generate": "succeeded"}
        assert sorted((output / "train.jsonl").read_text().splitlines()) == lines
        assert sorted(path.name for path in output.parent.iterdir()) == [output.name, f"{output.name}.lock"]
    assert project.json("plan", spec)["steps"][0]["decision"]["action"] == "reuse"


def test_touched_file_is_still_the_same(project: Project) -> None:
    spec = project.spec()
    project.good("run", spec)
    (data,) = project.outputs.glob("small/generate/*/train.jsonl")
    os.utime(data, (0, 0))
    assert project.json("plan", spec)["steps"][0]["decision"]["action"] == "reuse"


def test_report_without_what_was_made(project: Project) -> None:
    project.good("run", project.spec())
    shutil.rmtree(project.outputs)
    assert project.json("report")["results"] == {}
    assert project.good("report").startswith("Run small-")


def test_unreadable_record(project: Project) -> None:
    project.good("run", project.spec())
    good = project.newest()["id"]
    project.good("run", project.spec())
    broken = project.newest()["id"]
    (project.runs / broken / "run.json").write_text("{}")
    assert project.newest()["id"] == good
    done = project.hubc("status", broken)
    assert done.returncode == 2
    assert done.stderr.startswith(f"hubc: the record of run '{broken}' cannot be read: ")
    project.good("run", project.spec())


@pytest.mark.parametrize("command", ["status", "logs", "report"])
def test_no_run_yet(project: Project, command: str) -> None:
    done = project.hubc(command)
    assert (done.returncode, done.stderr) == (2, "hubc: no runs yet; start one with: hubc run SPEC\n")
    assert project.good("list") == f"no runs yet in {project.folder}; start one with: hubc run SPEC\n"
    assert project.json("list") == []
