"""A Kubernetes API for the tests of the cluster, and what acts on the objects in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from argo_controller import Controller
from kube import KubeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
