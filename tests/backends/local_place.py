"""This machine as a place: real processes, and a teacher over HTTP that says what the steps do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_project import Project
from local_teacher import Teacher
from place import REASON, Behaviour, Place

from hubc.backends.local import LocalBackend
from hubc.workspace import LOCAL, load_plan_at

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.plan import Plan

PROMPT_ANSWERS = 2
TRAIN = """\
  train:
    algorithm: custom
    effective_batch_size: {nodes}
    custom: {{script: specs/train.py}}
    resources: {{nodes: {nodes}}}
"""
SCRIPT = "import time\ntime.sleep(1000)\n"


class LocalPlace(Place):
    """A repository in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "model"
        self.model.mkdir()
        self.config = self.model / "config.json"
        self.config.write_text("{}")
        self.teacher = Teacher()
        self.project = Project(folder / "repo", self.model, self.teacher.url)
        self.backend = LocalBackend(self.project.folder)

    def steps(self, behaviour: Behaviour) -> None:
        self.teacher.status, self.teacher.error = (403, REASON) if behaviour == "fail" else (200, "")
        # Without its base model no training starts.
        if behaviour == "fail later":
            self.config.unlink()
        else:
            self.config.write_text("{}")
        if behaviour == "hang":
            self.teacher.prompt_answers = len(self.teacher.requests) + PROMPT_ANSWERS
            self.teacher.answering.clear()
        else:
            self.teacher.answering.set()

    def plan(self, name: str = "small", more: str = "", *, nodes: int = 0) -> tuple[Plan, str]:
        (self.project.folder / "specs" / "train.py").write_text(SCRIPT)
        spec = self.project.spec(name, (TRAIN.format(nodes=nodes) if nodes else "") + more)
        return load_plan_at(self.project.folder / spec, LOCAL, self.project.folder), spec

    def left(self) -> list[str]:
        return [process.environ()["HUBC_OWNER"] for process in self.project.processes()]

    def outputs(self) -> list[str]:
        return sorted(str(marker) for marker in self.project.outputs.glob("*/*/*/result.json"))

    def close(self) -> None:
        for run in self.backend.list():
            self.backend.cancel(run.id)
        self.project.close()
        self.teacher.close()
