"""A teacher that fails: the step is tried again, and then fails with the reason; secrets stay where they belong."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from local_project import LIMIT_SECONDS, Project, finish, until

if TYPE_CHECKING:
    from local_teacher import Teacher

HASTY = "import sys, hubc.backends.local.scheduler as s; s.RETRY_SECONDS = 0.1; from hubc.cli import main; sys.exit(main())"
"""`hubc` with a shorter pause between attempts."""
SECRET = "not-for-anyone-1234567890"
KEY = ", api_key: {secret: teacher, key: api-key}"


def hasty(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HASTY, *arguments]
    return subprocess.run(command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False,
                          timeout=LIMIT_SECONDS)  # fmt: skip


def test_teacher_that_always_fails(project: Project, teacher: Teacher) -> None:
    teacher.status = 500
    done = hasty(project, "run", project.spec())
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr
    reason = rf"the teacher at {teacher.url} failed 3 of 5 requests; the last: HTTP 500: .*the teacher is out of order"
    assert re.search(rf"^hubc: step 'generate' failed: {reason}", done.stderr, re.MULTILINE)
    assert len(re.findall(r"^generate +running: exit code 75, trying again in 0 s: the teacher", done.stderr, re.M)) == 2
    (step,) = project.newest()["steps"]
    assert (step["state"], step["attempts"], step["exit_code"]) == ("failed", 3, 75)
    assert re.match(reason, step["reason"])


def test_teacher_that_recovers(project: Project, teacher: Teacher) -> None:
    teacher.status = 503
    process = project.start("run", project.spec())
    until(lambda: project.json("list") and "trying again in 5 s" in project.newest()["steps"][0]["reason"], "it waits")
    teacher.status = 200
    code, out, err = finish(process)
    assert code == 0
    assert re.search(r"^generate +succeeded ", err, re.MULTILINE)
    (step,) = project.newest()["steps"]
    assert (step["state"], step["attempts"], step["exit_code"]) == ("succeeded", 2, 0)
    assert "5 pairs from 5 requests" in out


def test_cancelled_between_two_attempts(project: Project, teacher: Teacher) -> None:
    teacher.status = 500
    process = project.start("run", project.spec())
    until(lambda: project.json("list") and "trying again" in project.newest()["steps"][0]["reason"], "it waits")
    project.good("cancel", project.newest()["id"])
    assert finish(process)[0] == 130
    assert project.newest()["state"] == "cancelled"


def test_teacher_does_not_steer_the_terminal(project: Project, teacher: Teacher) -> None:
    teacher.status, teacher.error = 400, "\x1b[31mred\x1b[0m \x1b]0;title\x07 [bold]plain[/bold]\nmore"
    done = hasty(project, "run", project.spec())
    assert done.returncode == 3
    shown = done.stderr + project.good("logs") + project.good("status") + project.good("report")
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[bold]plain[/bold]" in shown


def test_missing_secret_is_noticed_before_anything_starts(project: Project, teacher: Teacher) -> None:
    done = project.hubc("run", project.spec(key=KEY))
    assert (done.returncode, done.stdout, teacher.requests) == (1, "", [])
    assert done.stderr == (
        "hubc: the plan needs secrets that are not in the environment: teacher/api-key (set HUBC_SECRET_TEACHER__API_KEY)\n"
    )
    assert not project.runs.exists()


def test_secret_goes_to_the_teacher_and_nowhere_else(project: Project, teacher: Teacher) -> None:
    spec = project.spec(key=KEY)
    given = {"HUBC_SECRET_TEACHER__API_KEY": SECRET}
    teacher.status, teacher.error = 401, f"wrong key: {SECRET}"
    failed = project.hubc("run", spec, **given)
    assert failed.returncode == 3
    assert "wrong key: ***" in failed.stderr
    teacher.status = 200
    done = project.hubc("run", spec, **given)
    assert done.returncode == 0
    assert {headers["authorization"] for headers in teacher.requests} == {f"Bearer {SECRET}"}
    assert project.hubc("run", spec).returncode == 0, "what is finished needs no secret"
    shown = [failed.stderr, done.stdout, done.stderr, project.good("logs"), project.good("report")]
    shown += [path.read_text(errors="replace") for path in project.folder.rglob("*") if path.is_file()]
    assert not any(SECRET in text for text in shown)


def test_secrets_of_others_do_not_reach_a_step(project: Project, teacher: Teacher) -> None:
    teacher.answering.clear()
    project.environment |= {"HUBC_SECRET_TEACHER__API_KEY": SECRET, "HUBC_SECRET_OTHER__KEY": "another"}
    with_key, without = (
        project.start("run", project.spec("with", key=KEY)),
        project.start("run", project.spec("without")),
    )
    until(lambda: len(project.processes("/generate")) == 2, "both steps run")
    found = {
        step.environ()["HUBC_OWNER"].split("/")[-2].split("-")[0]: {
            name for name in step.environ() if name.startswith("HUBC_SECRET_")
        }
        for step in project.processes("/generate")
    }
    assert found == {"with": {"HUBC_SECRET_TEACHER__API_KEY"}, "without": set()}
    teacher.answering.set()
    assert [finish(process)[0] for process in (with_key, without)] == [0, 0]
