"""Webhooks hear how a run goes; one that is slow, wrong or down holds nothing up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_project import Project, finish, until
from webhook_receiver import Receiver, receiving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_teacher import Teacher

SECRET = "Bearer of-good-tidings"
TARGET = """\
  notify:
    - url: {url}
      authorization: {{secret: hooks, key: authorization}}
      events: [{events}]
      interval_seconds: 1
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def spec(project: Project, url: str, events: str) -> str:
    return project.spec(more=TARGET.format(url=url, events=events))


def test_a_run_from_start_to_end(project: Project, receiver: Receiver) -> None:
    done = project.hubc("run", spec(project, receiver.url, "started, succeeded"), HUBC_SECRET_HOOKS__AUTHORIZATION=SECRET)
    assert done.returncode == 0, done.stderr
    assert receiver.events == ["started", "succeeded"]
    assert {authorization for authorization, _ in receiver.heard} == {SECRET}
    first, last = (body for _, body in receiver.heard)
    assert (first["state"], last["state"], last["pipeline"]) == ("running", "succeeded", "small")
    assert [(step["id"], step["state"]) for step in last["steps"]] == [("generate", "succeeded")]
    assert last["plan_digest"] == project.newest()["plan_digest"]
    assert SECRET not in done.stdout + done.stderr + "".join(
        path.read_text(errors="replace") for path in project.folder.glob(".hubc/**/*") if path.is_file()
    )


def test_progress_while_it_runs(project: Project, receiver: Receiver, teacher: Teacher) -> None:
    teacher.answering.clear()
    project.environment["HUBC_SECRET_HOOKS__AUTHORIZATION"] = SECRET
    process = project.start("run", spec(project, receiver.url, "progress, cancelled"))
    until(lambda: project.runs.is_dir() and project.processes("generate"), "the step starts")
    teacher.answering.set()
    code, _, err = finish(process)
    assert code == 0, err
    assert set(receiver.events) <= {"progress"}


def test_a_failed_run(project: Project, receiver: Receiver) -> None:
    path = project.spec(more="  evaluate: {}\n" + TARGET.format(url=receiver.url, events="failed, succeeded"))
    done = project.hubc("run", path, HUBC_SECRET_HOOKS__AUTHORIZATION=SECRET)
    assert done.returncode == 3
    assert receiver.events == ["failed"]
    assert "step 'evaluate-base' failed" in receiver.heard[0][1]["detail"]


def test_a_receiver_in_trouble_is_told_again(project: Project, receiver: Receiver) -> None:
    receiver.codes = [503]
    done = project.hubc("run", spec(project, receiver.url, "succeeded"), HUBC_SECRET_HOOKS__AUTHORIZATION=SECRET)
    assert (done.returncode, receiver.events) == (0, ["succeeded", "succeeded"])
    assert "webhook" not in done.stderr


@pytest.mark.parametrize("code", [403, 307])
def test_a_refusal_is_said_and_not_repeated(project: Project, receiver: Receiver, code: int) -> None:
    receiver.codes = [code] * 9
    done = project.hubc("run", spec(project, receiver.url, "succeeded"), HUBC_SECRET_HOOKS__AUTHORIZATION=SECRET)
    assert (done.returncode, receiver.events) == (0, ["succeeded"])
    assert f"hubc: warning: a webhook was not told: {receiver.url} answered {code}" in done.stderr


def test_nobody_there(project: Project) -> None:
    done = project.hubc(
        "run", spec(project, "http://127.0.0.1:9/hooks", "succeeded"), HUBC_SECRET_HOOKS__AUTHORIZATION=SECRET
    )
    assert done.returncode == 0
    assert "hubc: warning: a webhook was not told: http://127.0.0.1:9/hooks: " in done.stderr


def test_a_missing_secret_is_said_before_anything_runs(project: Project, receiver: Receiver) -> None:
    done = project.hubc("run", spec(project, receiver.url, "started"))
    assert done.returncode == 1
    assert "hooks/authorization (set HUBC_SECRET_HOOKS__AUTHORIZATION)" in done.stderr
    assert receiver.heard == []
