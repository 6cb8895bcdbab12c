"""A tiny model, a teacher and a repository: what a real run needs, small enough to be quick."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import tiny
from local_project import LEAF, Project
from local_teacher import Teacher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Who starts the tests in the background may have told them to ignore it, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a random Llama that every run here starts from."""
    folder = tmp_path_factory.mktemp("model")
    subprocess.run([sys.executable, tiny.__file__, str(LEAF), str(folder)], check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture
def teacher() -> Iterator[Teacher]:
    server = Teacher()
    yield server
    server.close()


@pytest.fixture
def project(tmp_path: Path, teacher: Teacher) -> Iterator[Project]:
    """Make a repository for runs that never load the model."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    made = Project(tmp_path / "my repo, 100% mine", model, teacher.url)
    yield made
    made.close()
