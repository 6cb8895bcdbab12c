"""State that cannot be written, or is taken away: one message, exit code 4, and no process left behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from local_project import LIMIT_SECONDS, Project, finish, until

if TYPE_CHECKING:
    from local_teacher import Teacher

SMALL_FILES_ONLY = """
import resource, sys
from hubc.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.exit(main())
"""


def test_state_folder_is_a_file(project: Project) -> None:
    (project.folder / ".hubc").write_text("")
    done = project.hubc("run", project.spec())
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"hubc: cannot write below {project.folder}/.hubc: ")
    assert project.good("list").startswith("no runs yet")


def test_outputs_folder_is_a_file(project: Project, teacher: Teacher) -> None:
    (project.folder / ".hubc").mkdir()
    project.outputs.write_text("")
    done = project.hubc("run", project.spec())
    assert (done.returncode, teacher.requests) == (4, [])
    assert done.stderr.endswith(f": {project.outputs}/small/generate\n")
    assert project.newest()["state"] == "failed"
    assert project.newest()["reason"].startswith("hubc failed: [Errno ")


def test_record_that_does_not_fit(project: Project) -> None:
    done = subprocess.run([sys.executable, "-c", SMALL_FILES_ONLY, "run", project.spec()], cwd=project.folder, check=False,
                          env=project.environment, capture_output=True, text=True, timeout=LIMIT_SECONDS)  # fmt: skip
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"hubc: cannot write below {project.folder}/.hubc: File too large\n"


@pytest.mark.parametrize("interrupted", [False, True])
def test_state_taken_away(project: Project, teacher: Teacher, interrupted: bool) -> None:
    """Whatever goes wrong with the records, the steps end first."""
    teacher.answering.clear()
    process = project.start("run", project.spec())
    until(lambda: teacher.requests, "the teacher is asked")
    shutil.rmtree(project.folder / ".hubc")
    if interrupted:
        process.terminate()
    else:
        teacher.answering.set()
    code, _, err = finish(process)
    assert code == 4
    assert f"hubc: cannot write below {project.folder}/.hubc: No such file or directory\n" in err
    assert project.processes() == []


def test_output_that_cannot_be_written(project: Project) -> None:
    project.good("run", project.spec())
    command = [sys.executable, "-m", "hubc", "status"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=project.folder, env=project.environment, stdout=full, stderr=subprocess.PIPE,
                              check=False, text=True, timeout=LIMIT_SECONDS)  # fmt: skip
    assert (done.returncode, done.stderr) == (4, "hubc: No space left on device\n")
