"""What the step tests share: a tiny model, and what becomes of it when it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import animals
import pytest
import tiny
from steprun import Done, finish, start
from trainrun import data, start_nodes, train_request

if TYPE_CHECKING:
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
    return {name: (folder / name / "out", [finish(process) for process in nodes]) for name, nodes in running.items()}
