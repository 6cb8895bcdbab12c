"""Several runs in one repository at the same moment."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import psutil
from local_project import Project, finish, kill, states, until

if TYPE_CHECKING:
    import subprocess

    from local_teacher import Teacher


def test_one_spec_twice(project: Project, teacher: Teacher) -> None:
    """The second run waits for the first, and takes what it made."""
    spec = project.spec()
    teacher.answering.clear()
    both = [project.start("run", spec), project.start("run", spec)]
    until(lambda: teacher.requests, "the teacher is asked")
    until(lambda: "waiting" in [states(run)["generate"] for run in project.json("list")], "one run waits")
    before, since = cpu_seconds(both), time.monotonic()
    project.good("list")
    assert cpu_seconds(both) - before < 0.5 * (time.monotonic() - since), "waiting must not keep a core busy"
    teacher.answering.set()
    ended = [finish(process) for process in both]
    assert [code for code, _, _ in ended] == [0, 0]
    assert len(teacher.requests) == 5
    runs = {states(run)["generate"]: run for run in project.json("list")}
    assert sorted(runs) == ["reused", "succeeded"]
    assert runs["reused"]["steps"][0]["reason"] == f"unchanged since {runs['succeeded']['id']}"
    waited = next(err for _, _, err in ended if "reused" in err)
    assert re.findall(r"^generate +(.*?)(?::|$)", waited, re.MULTILINE) == ["waiting", "reused"]
    assert "waiting: another run is making the same output" in waited


def cpu_seconds(processes: list[subprocess.Popen[str]]) -> float:
    return sum(psutil.Process(process.pid).cpu_times().user for process in processes)


def test_the_one_that_waits_takes_over(project: Project, teacher: Teacher) -> None:
    spec = project.spec()
    teacher.answering.clear()
    first = project.start("run", spec)
    until(lambda: teacher.requests, "the teacher is asked")
    second = project.start("run", spec)
    until(lambda: "waiting" in [states(run)["generate"] for run in project.json("list")], "the second run waits")
    kill(first)
    first.communicate()
    teacher.answering.set()
    assert finish(second)[0] == 0
    assert states(project.newest()) == {"generate": "succeeded"}


def test_two_specs(project: Project, teacher: Teacher) -> None:
    teacher.answering.clear()
    both = [project.start("run", project.spec(name)) for name in ("one", "two")]
    until(lambda: sum(states(run)["generate"] == "running" for run in project.json("list")) == 2, "both run")
    teacher.answering.set()
    assert [finish(process)[0] for process in both] == [0, 0]
    assert {run["pipeline"]: run["state"] for run in project.json("list")} == {"one": "succeeded", "two": "succeeded"}
    assert len(teacher.requests) == 10


def test_a_run_does_not_end_the_steps_of_another(project: Project, teacher: Teacher) -> None:
    teacher.answering.clear()
    one = project.start("run", project.spec("one"))
    until(lambda: teacher.requests, "the teacher is asked")
    (step,) = project.processes("/generate")
    two = project.start("run", project.spec("two"))
    until(lambda: len(project.processes("/generate")) == 2, "the second run has started its step")
    project.good("cancel", next(run["id"] for run in project.json("list") if run["pipeline"] == "two"))
    assert finish(two)[0] == 130
    assert step.is_running()
    teacher.answering.set()
    assert finish(one)[0] == 0
