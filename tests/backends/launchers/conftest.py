"""A small training pod and a cluster for each launcher."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from trainings import RETRY, SAMPLE, read, training_pod

from hubc.backends.argo.launchers import launch
from hubc.backends.argo.tags import Tag
from hubc.spec.cluster import Launcher
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.backends.argo.launchers import TrainingPod
    from hubc.spec.cluster import Argo

ROOT = Path(__file__).resolve().parents[3]
KINDS = ("jobset", "trainjob", "pytorchjob", "job")


@pytest.fixture
def kinds() -> tuple[str, ...]:
    return KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def argo_of() -> Callable[..., Argo]:
    base = load_platform(str(ROOT / "specs" / "platforms" / "example-cluster.yaml"), ROOT).spec.argo
    assert base is not None

    def make(kind: str, **changes: Any) -> Argo:
        launcher = Launcher(kind=kind, runtime="hubc-torch" if kind == "trainjob" else None)
        return base.model_copy(update={"launcher": launcher, **changes})

    return make


@pytest.fixture
def argo(kind: str, argo_of: Callable[..., Argo]) -> Argo:
    return argo_of(kind)


@pytest.fixture
def pod() -> TrainingPod:
    return training_pod()


@pytest.fixture
def templates(argo: Argo, pod: TrainingPod) -> list[dict[str, Any]]:
    return launch("train", pod, argo, retry=RETRY)


@pytest.fixture
def workflow_of(argo_of: Callable[..., Argo], pod: TrainingPod) -> Callable[[str], dict[str, Any]]:
    """Make the Workflow of one training."""

    def make(kind: str) -> dict[str, Any]:
        argo = argo_of(kind)
        both = [{"name": "step", "value": SAMPLE[Tag.STEP]}, {"name": "job", "value": SAMPLE[Tag.JOB]}]
        templates = [
            {"name": "pipeline", "dag": {"tasks": [_task("train", both)]}},
            *launch("train", pod, argo, retry=RETRY),
        ]
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": SAMPLE[Tag.RUN], "namespace": argo.namespace},
            "spec": {"entrypoint": "pipeline", "templates": templates},
        }

    return make


@pytest.fixture
def workflow(kind: str, workflow_of: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    return workflow_of(kind)


def _task(name: str, parameters: list[dict[str, str]]) -> dict[str, Any]:
    return {"name": name, "template": name, "arguments": {"parameters": parameters}}


@pytest.fixture
def manifests(templates: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the templates apply, by kind."""
    found = [read(item["resource"]["manifest"]) for item in templates if item.get("resource", {}).get("action") == "apply"]
    return {item["kind"]: item for item in found}


@pytest.fixture
def template(templates: list[dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    return lambda name: next(item for item in templates if item["name"] == name)
