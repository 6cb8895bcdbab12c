"""Runs that go on by themselves: started by `hubc submit`, waited for and retried by other commands."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import psutil
from local_project import LIMIT_SECONDS, Project, finish, kill, until

from hubc.backends.local import LocalBackend
from hubc.cli import main
from hubc.runs import PodRun, Run, StepRun

if TYPE_CHECKING:
    import pytest
    from local_teacher import Teacher

SECRET = "not-for-anyone-1234567890"
KEY = ", api_key: {secret: teacher, key: api-key}"
ON = ("--platform", "local")


def backend(project: Project) -> LocalBackend:
    """Return what the commands ask, to ask it at once."""
    return LocalBackend(project.folder)


def ended(project: Project, id: str) -> Run:
    return backend(project).wait(id, LIMIT_SECONDS)


def submitted(project: Project, teacher: Teacher, *, key: str = "", **variables: str) -> Run:
    """Submit a run and return it when its only step waits for the teacher."""
    teacher.answering.clear()
    done = project.hubc("submit", project.spec(key=key), *ON, "--format", "json", **variables)
    assert done.returncode == 0, done.stderr
    until(lambda: teacher.requests, "the teacher is asked")
    run = backend(project).get(json.loads(done.stdout)["id"])
    assert run.state == "running"
    return run


def test_submit_wait_and_submit_again(project: Project, teacher: Teacher) -> None:
    spec = project.spec()
    teacher.answering.clear()
    run, rest = project.good("submit", spec, *ON).split(": ", 1)
    assert rest == f"pending; follow it with: hubc logs -f {run}\n"
    late = project.hubc("wait", run, "--timeout", "0.1")
    assert (late.returncode, late.stdout) == (4, "")
    assert late.stderr.startswith(f"hubc: run '{run}' is still ")
    teacher.answering.set()
    assert project.good("wait", run) == f"{run}: succeeded\n"
    assert project.good("submit", spec, *ON) == f"{run}: succeeded; it was done before, and nothing was started\n"
    assert [found.id for found in backend(project).list()] == [run]
    last = project.good("logs", run, "--tail", "1")
    assert last == project.good("logs", run).splitlines(keepends=True)[-1]
    assert "generate       succeeded" in (project.runs / run / "driver.log").read_text()
    next(project.outputs.glob("small/generate/*/train.jsonl")).write_text("")
    another = project.good("submit", spec, *ON, "--wait")
    assert another.endswith(": succeeded\n")
    assert another != f"{run}: succeeded\n", "its output was damaged"


def test_a_run_outlives_the_terminal(project: Project, teacher: Teacher) -> None:
    run = submitted(project, teacher)
    assert run.pid is not None
    driver = psutil.Process(run.pid)
    assert (os.getsid(run.pid), driver.terminal()) == (run.pid, None)
    assert not [child for child in psutil.Process().children() if child.pid == run.pid]
    readers = [project.start("logs", "-f", run.id), project.start("logs", "-f", "--tail", "1", run.id)]
    first = [reader.stdout.readline() for reader in readers if reader.stdout]
    readers[0].send_signal(signal.SIGINT)
    assert finish(readers[0])[::2] == (130, "hubc: interrupted\n")
    teacher.answering.set()
    code, rest, _ = finish(readers[1])
    assert code == 0
    assert first[1] + rest == project.good("logs", run.id)


def test_two_submits_at_once(project: Project, teacher: Teacher) -> None:
    spec = project.spec()
    teacher.answering.clear()
    both = [project.start("submit", spec, *ON, "--format", "json") for _ in range(2)]
    first, second = (json.loads(finish(process)[1])["id"] for process in both)
    assert first == second
    assert len(backend(project).list()) == 1
    backend(project).delete(first)


def test_failure(project: Project, teacher: Teacher) -> None:
    """All of it from a folder below the repository's top."""
    teacher.status, teacher.error = 403, "no entry"
    project.spec()
    project.folder /= "specs"
    done = project.hubc("submit", "small.yaml", *ON, "--wait", "--format", "json")
    run: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, run["state"], run["spec"]) == (3, "failed", "specs/small.yaml")
    assert "hubc: step 'generate' failed: the teacher at " in done.stderr
    assert f"more: hubc logs {run['id']}" in done.stderr
    assert project.hubc("wait", run["id"]).returncode == 3
    teacher.status = 200
    assert project.good("retry", run["id"]) == f"{run['id']}: pending; follow it with: hubc logs -f {run['id']}\n"
    project.folder = project.folder.parent
    assert ended(project, run["id"]).state == "succeeded"
    assert "no entry" not in project.good("logs", run["id"])
    assert "no entry" in (project.runs / run["id"] / "attempt-1" / "generate.0.log").read_text()


def test_retry_of_a_changed_spec(project: Project, teacher: Teacher) -> None:
    run = submitted(project, teacher)
    backend(project).cancel(run.id)
    project.spec(samples=2)
    done = project.hubc("retry", run.id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "submit the changed spec instead: hubc submit specs/small.yaml --platform local" in done.stderr
    assert backend(project).get(run.id).state == "cancelled"


def test_killed_driver(project: Project, teacher: Teacher) -> None:
    run = submitted(project, teacher)
    assert run.pid is not None
    kill(psutil.Process(run.pid))
    done = project.hubc("wait", run.id)
    assert done.returncode == 3
    assert f"hubc (process {run.pid}) ended without a word" in done.stderr
    teacher.answering.set()
    backend(project).retry(run.id)
    assert ended(project, run.id).state == "succeeded"
    assert project.processes() == []


def test_machine_that_was_switched_off(project: Project, teacher: Teacher) -> None:
    """The record says that the run goes on, and its process id belongs to somebody else by now."""
    run = submitted(project, teacher)
    assert run.pid is not None
    for process in (psutil.Process(run.pid), *project.processes()):
        kill(process)
    record = project.runs / run.id / "run.json"
    record.write_text(record.read_text().replace(f'"pid": {run.pid}', f'"pid": {os.getpid()}'))
    teacher.answering.set()
    again = project.json("submit", "specs/small.yaml", *ON)
    assert again["id"] != run.id
    ended(project, again["id"])
    assert {found.id: found.state for found in backend(project).list()} == {run.id: "failed", again["id"]: "succeeded"}


def test_secrets_come_from_the_environment(project: Project, teacher: Teacher) -> None:
    done = project.hubc("submit", project.spec(key=KEY), *ON)
    assert (done.returncode, done.stdout, project.runs.exists() and list(project.runs.iterdir())) == (1, "", [])
    assert "secrets that are not in the environment: teacher/api-key" in done.stderr
    run = submitted(project, teacher, key=KEY, HUBC_SECRET_TEACHER__API_KEY=SECRET)
    teacher.answering.set()
    ended(project, run.id)
    assert {headers["authorization"] for headers in teacher.requests} == {f"Bearer {SECRET}"}
    assert not any(SECRET in path.read_text(errors="replace") for path in project.folder.rglob("*") if path.is_file())


def test_status_tells_what_pods_wait_for(project: Project) -> None:
    """A record as one of a cluster would be."""
    pods = (
        PodRun(name="moon-train-0", phase="Running", restarts=1),
        PodRun(name="moon-train-1", node=1, phase="Pending", reason="Unschedulable: 0/3 nodes have nvidia.com/gpu"),
    )
    steps = (StepRun(id="train", kind="train", state="failed", key="0" * 64, attempts=2, reason="out\x1b[31m of memory",
                     pods=pods),)  # fmt: skip
    run = Run(id="moon-1", pipeline="moon", platform="cluster", spec="specs/moon.yaml", plan_digest="0" * 64, state="failed",
              created_at=0, url="https://argo.example.com/workflows/moon-1", steps=steps)  # fmt: skip
    folder = project.runs / run.id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(run.model_dump_json())
    head, url, step, first, second = project.good("status", run.id).splitlines()
    assert (head, url) == ("moon-1: failed", "  https://argo.example.com/workflows/moon-1")
    assert step.split() == ["train", "failed", "attempt", "2:", "out\\x1b[31m", "of", "memory"]
    assert first == "    moon-train-0: node 0, Running, 1 restart"
    assert second == "    moon-train-1: node 1, Pending: Unschedulable: 0/3 nodes have nvidia.com/gpu"
    assert Run.model_validate(project.json("status", run.id)) == run


def test_runs_that_are_gone(
    project: Project, teacher: Teacher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = submitted(project, teacher).id
    assert project.json("cancel", run)["state"] == "cancelled"
    assert project.json("delete", run) == {"deleted": run}
    monkeypatch.chdir(project.folder)
    for command in ("cancel", "delete", "wait", "retry", "status", "logs", "report"):
        assert main([command, run]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err) == ("", f"hubc: no run '{run}'; the newest: none yet\n")
