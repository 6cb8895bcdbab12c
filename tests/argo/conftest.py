"""A Kubernetes API for the tests of the cluster, what acts on the objects in it, and a backend that looks at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argo_controller import Controller
from kube import KubeApi

from hubc.backends.argo.backend import ArgoBackend
from hubc.backends.argo.patience import Patience
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubc.plan import Plan
    from hubc.spec.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
QUICK = Patience(
    connect=2.0, answer=2.0, pauses=(0.01, 0.01, 0.01), longest_pause=1.5, stream=1.0, poll=0.01, stop=5.0, end=5.0
)


@pytest.fixture
def api() -> Iterator[KubeApi]:
    """Serve an API with the namespace `team`."""
    api = KubeApi("team")
    yield api
    api.close()


@pytest.fixture
def controller(api: KubeApi, tmp_path: Path) -> Iterator[Controller]:
    """Run what is submitted; all pods find `/storage` in the test's folder."""
    controller = Controller(api, tmp_path / "cluster", shared={"/storage": tmp_path / "storage"})
    yield controller
    controller.close()


@pytest.fixture(scope="session")
def example() -> Platform:
    """Read the platform of the examples, once."""
    return load_platform(str(ROOT / "specs" / "platforms" / "example-cluster.yaml"), ROOT)


@pytest.fixture(scope="session")
def plan(example: Platform) -> Plan:
    return load_plan(ROOT / "specs" / "pipelines" / "quickstart.yaml", example)


@pytest.fixture
def platform(example: Platform) -> Callable[..., Platform]:
    """Return the platform with other settings of its cluster."""

    def changed(**argo: object) -> Platform:
        assert example.spec.argo is not None
        settings = {"namespace": "team", "context": None, "ui_url": "https://argo.example.com/", **argo}
        cluster = example.spec.argo.model_copy(update=settings)
        return example.model_copy(update={"spec": example.spec.model_copy(update={"argo": cluster})})

    return changed


@pytest.fixture
def connect(api: KubeApi, platform: Callable[..., Platform], tmp_path: Path) -> Callable[..., ArgoBackend]:
    """Return a backend for a platform with other settings."""

    def made(patience: Patience = QUICK, **argo: object) -> ArgoBackend:
        return ArgoBackend(platform(**argo), patience=patience, kubeconfig=api.kubeconfig(tmp_path / "kubeconfig"))

    return made


@pytest.fixture
def backend(connect: Callable[..., ArgoBackend]) -> ArgoBackend:
    return connect()
