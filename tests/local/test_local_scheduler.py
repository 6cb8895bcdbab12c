"""Driving a plan from Python, where the command line would take too long: time limits, and steps beside each other."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from local_project import Project, states

from hubc.backends.local.scheduler import Scheduler, StopSignals
from hubc.backends.local.state import State
from hubc.display import PlainDisplay
from hubc.workspace import LOCAL, load_plan

if TYPE_CHECKING:
    import pytest
    from local_teacher import Teacher

    from hubc.plan import Plan
    from hubc.runs import Run


def compiled(project: Project, more: str = "") -> Plan:
    return load_plan(project.folder / project.spec(more=more), LOCAL)


def drive(project: Project, plan: Plan, *, parallel: int = 1) -> tuple[Run, str]:
    state, shown = State(project.folder), io.StringIO()
    with StopSignals() as told:
        run = Scheduler(plan, state.begin(state.create(plan, "spec")[0]), state, parallel, PlainDisplay(shown), told).drive()
    assert state.load(run.id) == run
    return run, shown.getvalue()


def limited(plan: Plan, minutes: int) -> Plan:
    steps = (replace(step, resources=replace(step.resources, timeout_minutes=minutes)) for step in plan.steps)
    return replace(plan, steps=tuple(steps))


def test_time_limit(project: Project, teacher: Teacher) -> None:
    teacher.answering.clear()
    run, shown = drive(project, limited(compiled(project), 0))
    assert run.state == "failed"
    assert run.reason == "step 'generate' failed: the time limit of 0 minutes has passed"
    assert project.processes() == []
    assert "generate       failed" in shown


def test_a_failed_step_stops_the_others(project: Project, teacher: Teacher) -> None:
    """The model is no model, so its evaluation fails while the teacher is still asked."""
    teacher.answering.clear()
    run, _ = drive(project, compiled(project, "  evaluate: {}\n"), parallel=2)
    assert states(run.model_dump()) == {"generate": "cancelled", "evaluate-base": "failed"}
    assert run.reason.startswith("step 'evaluate-base' failed: ")
    assert run.step("generate").reason == "stopped with the run"
    assert project.processes() == []


def test_log_folder_that_is_gone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of hubc itself ends the run as failed, and is passed on."""
    plan = compiled(project)
    monkeypatch.setattr(State, "log", lambda *_: Path("/nowhere/log"))
    try:
        drive(project, plan)
    except OSError as error:
        assert error.filename == "/nowhere/log"
    (run,) = State(project.folder).all()
    assert (run.state, run.reason) == ("failed", "hubc failed: [Errno 2] No such file or directory: '/nowhere/log'")
    assert states(run.model_dump()) == {"generate": "cancelled"}
