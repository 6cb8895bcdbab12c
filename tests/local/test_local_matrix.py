"""A sweep on this machine: shared steps run once, and no more steps of the sweep run at once than the spec says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from local_project import states
from test_local_scheduler import compiled

from hubc.backends.local.scheduler import Scheduler, StopSignals
from hubc.backends.local.state import State
from hubc.display import PlainDisplay

if TYPE_CHECKING:
    from local_project import Project

    from hubc.runs import Run, StepRun

SWEEP = """\
  matrix:
    fields:
      generate.temperature: [0.1, 0.2, 0.3]
    max_parallel: {most}
"""


class Counting(PlainDisplay):
    """Notes how many steps run at once."""

    most = 0

    def changed(self, run: Run, step: StepRun) -> None:
        self.most = max(self.most, sum(item.state == "running" for item in run.steps))
        super().changed(run, step)

    def event(self, run: Run, step: StepRun, event: dict[str, Any]) -> None:
        """Show nothing."""


def swept(project: Project, most: int) -> tuple[Run, int]:
    plan = compiled(project, SWEEP.format(most=most))
    state, display = State(project.folder), Counting(io.StringIO())
    with StopSignals() as told:
        run = Scheduler(plan, state.begin(state.create(plan, "spec")[0]), state, 3, display, told).drive()
    return run, display.most


def test_at_most_so_many_at_once(project: Project) -> None:
    run, most = swept(project, 1)
    assert states(run.model_dump()) == dict.fromkeys(
        ("generate-temperature-0-1", "generate-temperature-0-2", "generate-temperature-0-3"), "succeeded"
    )
    assert most == 1


def test_as_many_as_the_machine_takes(project: Project) -> None:
    _, most = swept(project, 3)
    assert most == 3
