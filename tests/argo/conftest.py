"""A Kubernetes API for the tests of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kube import KubeApi

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[KubeApi]:
    """Serve an API with the namespace `team`."""
    api = KubeApi("team")
    yield api
    api.close()
