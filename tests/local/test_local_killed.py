"""Runs that are killed, interrupted or cancelled: nothing is left running, the record says what happened, work goes on."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from local_project import Project, finish, kill, states, until

if TYPE_CHECKING:
    import subprocess

    from local_teacher import Teacher


def started(project: Project, teacher: Teacher) -> subprocess.Popen[str]:
    """Start a run and return when its only step waits for the teacher."""
    teacher.answering.clear()
    process = project.start("run", project.spec())
    until(lambda: teacher.requests, "the teacher is asked")
    return process


def succeeds_now(project: Project, teacher: Teacher) -> None:
    teacher.answering.set()
    project.good("run", "specs/small.yaml")
    assert project.newest()["state"] == "succeeded"
    assert states(project.newest()) == {"generate": "succeeded"}


def test_killed_step(project: Project, teacher: Teacher) -> None:
    process = started(project, teacher)
    (step,) = project.processes("/generate")
    kill(step)
    code, out, err = finish(process)
    run = project.newest()
    assert (code, out) == (3, "")
    assert "step 'generate' failed: killed by signal 9; if nobody did that, the machine ran out of memory" in err
    assert "the end of generate.0.log:\n    asking for " in err
    assert f"hubc logs {run['id']} --step generate" in err
    assert (run["state"], states(run)) == ("failed", {"generate": "failed"})
    succeeds_now(project, teacher)


@pytest.mark.parametrize("with_step", [False, True], ids=["hubc", "hubc-and-step"])
def test_killed_hubc(project: Project, teacher: Teacher, with_step: bool) -> None:
    process = started(project, teacher)
    (step,) = project.processes("/generate")
    kill(process)
    if with_step:
        kill(step)
    # Nobody has waited for the killed process yet, as in a container without an init: it must not pass for alive.
    run = project.newest()
    assert (run["state"], states(run)) == ("failed", {"generate": "failed"})
    assert f"hubc (process {process.pid}) ended without a word" in run["reason"]
    project.wait_until_nothing_runs()
    process.communicate()
    (listed,) = project.json("list")
    assert listed["state"] == "failed"
    assert f"{run['id']}: failed; nothing of it runs any more" in project.good("cancel", run["id"])
    succeeds_now(project, teacher)
    assert [found["state"] for found in project.json("list")] == ["succeeded", "failed"]


def test_next_run_ends_what_a_killed_one_left(project: Project, teacher: Teacher) -> None:
    process = started(project, teacher)
    (step,) = project.processes("/generate")
    step.suspend()
    kill(process)
    process.communicate()
    succeeds_now(project, teacher)
    assert not step.is_running() or step.status() == "zombie"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(project: Project, teacher: Teacher, number: signal.Signals) -> None:
    process = started(project, teacher)
    process.send_signal(number)
    code, out, err = finish(process)
    assert project.processes() == []
    run = project.newest()
    assert (code, out) == (130, "")
    assert "hubc: interrupted; everything that was started has ended" in err
    assert (run["state"], states(run)) == ("cancelled", {"generate": "cancelled"})
    succeeds_now(project, teacher)


def test_interrupted_again_and_again(project: Project, teacher: Teacher) -> None:
    """The step does not obey, and hubc does not leave before it has ended, however often it is told to."""
    process = started(project, teacher)
    (step,) = project.processes("/generate")
    step.suspend()
    process.send_signal(signal.SIGINT)
    until(lambda: "stopping" in read_now(process), "the run is stopping")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    assert process.poll() is None
    kill(step)
    code, _, _ = finish(process)
    assert (code, project.processes()) == (130, [])
    assert project.newest()["state"] == "cancelled"


def read_now(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline()


def test_cancelled(project: Project, teacher: Teacher) -> None:
    process = started(project, teacher)
    run = project.newest()
    assert run["state"] == "running"
    assert project.good("cancel", run["id"]) == f"{run['id']}: cancelled; nothing of it runs any more\n"
    assert project.processes() == []
    assert finish(process)[0] == 130
    before = (project.runs / run["id"] / "run.json").read_bytes()
    assert project.good("cancel", run["id"]) == f"{run['id']}: cancelled; nothing of it runs any more\n"
    assert (project.runs / run["id"] / "run.json").read_bytes() == before


def test_deleted_while_it_runs(project: Project, teacher: Teacher) -> None:
    process = started(project, teacher)
    run = project.newest()["id"]
    assert project.good("delete", run) == f"{run}: deleted; what its steps made stays for reuse\n"
    assert project.processes() == []
    assert finish(process)[0] == 130
    assert project.json("list") == []


def test_a_process_of_the_same_id_is_left_alone(project: Project, teacher: Teacher) -> None:
    """The record of a run whose process was killed long ago may name a process of somebody else by now."""
    process = started(project, teacher)
    kill(process)
    process.communicate()
    (record,) = project.runs.glob("*/run.json")
    record.write_text(record.read_text().replace(f'"pid": {process.pid}', f'"pid": {os.getpid()}'))
    assert project.newest()["state"] == "failed"
    project.good("cancel", record.parent.name)


def test_progress_is_seen_from_elsewhere(project: Project, teacher: Teacher) -> None:
    teacher.prompt_answers = 3
    process = started(project, teacher)
    until(lambda: project.newest()["steps"][0]["progress"] == "3/5 requests", "the record tells how far the step is")
    assert "3/5 requests" in project.good("status")
    teacher.answering.set()
    assert finish(process)[0] == 0


def test_following_the_logs_ends_with_the_run(project: Project, teacher: Teacher) -> None:
    process = started(project, teacher)
    reader = project.start("logs", "--follow")
    assert reader.stdout
    assert "asking for" in reader.stdout.readline()
    teacher.answering.set()
    code, out, _ = finish(reader)
    assert code == 0
    assert out.splitlines()[-1].startswith("generate | ")
    assert finish(process)[0] == 0
