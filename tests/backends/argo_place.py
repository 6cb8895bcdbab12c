"""A cluster as a place: a Kubernetes API over HTTP, what acts on its objects, and pods that are processes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import yaml
from argo_controller import Controller
from kube import KubeApi
from local_project import Project
from local_teacher import Teacher
from place import REASON, Behaviour, Place

from hubc.backends.argo.backend import ArgoBackend
from hubc.backends.argo.patience import Patience
from hubc.workspace import LOCAL, load_plan_at, load_platform

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
IMAGE = f"registry.example.com/hubc@sha256:{'0' * 64}"
ARGO = {
    "controller_version": "4.1.2",
    "namespace": "team",
    "service_account": "steps",
    "executor_service_account": "executor",
    "images": dict.fromkeys(("generate", "train", "evaluate", "publish"), IMAGE),
    "storage": {"claim": "outputs"},
}
PLATFORM = {
    "apiVersion": "hubc/v1",
    "kind": "Platform",
    "metadata": {"name": "cluster"},
    "spec": {"argo": ARGO, "limits": {"nodes": 2}},
}
PATIENCE = Patience(pauses=(0.05, 0.2), stream=5.0, poll=0.05)


class ArgoPlace(Place):
    """A repository in a folder of its own, and a cluster beside it."""

    keeps_logs = False

    def __init__(self, folder: Path) -> None:
        self.model = folder / "model"
        self.model.mkdir()
        self.config = self.model / "config.json"
        self.config.write_text("{}")
        self.teacher = Teacher()
        self.project = Project(folder / "repo", self.model, self.teacher.url)
        self.claim = folder / "cluster" / "claims" / "outputs"
        self.api = KubeApi("team")
        self.controller = Controller(self.api, folder / "cluster")
        file = self.project.folder / "specs" / "cluster.yaml"
        file.write_text(yaml.safe_dump(PLATFORM), encoding="utf-8")
        self.platform = load_platform(str(file), self.project.folder)
        kubeconfig = self.api.kubeconfig(folder / "kubeconfig")
        self.backend = ArgoBackend(self.platform, patience=PATIENCE, kubeconfig=kubeconfig)

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
        # Compiled as for this machine, where the pods really are: a cluster's could not reach its files and ports.
        plan = load_plan_at(self.project.folder / spec, LOCAL, self.project.folder)
        steps = tuple(replace(step, image=IMAGE) for step in plan.steps)
        return replace(plan, platform=self.platform.metadata.name, steps=steps), spec

    def left(self) -> list[str]:
        pods = self.api.list("pods", "team")
        return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]

    def outputs(self) -> list[str]:
        return sorted(str(marker) for marker in self.claim.glob("outputs/*/*/*/result.json"))

    def close(self) -> None:
        self.controller.close()
        self.api.close()
        self.project.close()
        self.teacher.close()
