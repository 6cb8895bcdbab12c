"""Figures at Weights & Biases: kept for later without a key, and never a reason to fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from steprun import Done, files, finish, start
from trainrun import data, train_request

if TYPE_CHECKING:
    from pathlib import Path

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, tuple[Path, Done]]:
    """Trainings without a key, and with a key and a server that is down."""
    pytest.importorskip("wandb")
    folder = tmp_path_factory.mktemp("tracked")
    down = {"project": "animals", "url": "http://127.0.0.1:9", "api_key": {"secret": "wandb", "key": "token"}}
    cases: dict[str, dict[str, Any]] = {"offline": {"project": "animals", "entity": "zoo"}, "down": down}
    running = {}
    for name, target in cases.items():
        chosen = {"num_epochs": 2, "validation_split": 0.2, "tracking": {"wandb": target}}
        request = train_request(folder / name, model, data(folder), **chosen)
        running[name] = start("train", request, HUBC_SECRET_WANDB__TOKEN=KEY, HOME=str(folder))
    return {name: (folder / name / "out", finish(process)) for name, process in running.items()}


def record(output: Path) -> bytes:
    """Return what a run left for `wandb sync`."""
    (path,) = (output / "wandb").glob("offline-run-*/run-*.wandb")
    assert path.name == "run-run-1-train-eeeeeeee.wandb"
    return path.read_bytes()


@pytest.mark.parametrize("case", ["offline", "down"])
def test_figures_are_kept(case: str, tracked: dict[str, tuple[Path, Done]]) -> None:
    output, done = tracked[case]
    assert done.code == 0, done.stderr
    kept = record(output)
    for word in (b"animals", b"learning_rate", b"validation_loss", b"run-1 train"):
        assert word in kept
    assert (b"zoo" in kept) == (case == "offline")


def test_server_that_is_down_is_told(tracked: dict[str, tuple[Path, Done]]) -> None:
    told = "Weights & Biases does not answer, so figures are kept in wandb/: "
    assert told in tracked["down"][1].messages
    assert told not in tracked["offline"][1].messages


@pytest.mark.parametrize("case", ["offline", "down"])
def test_key_is_nowhere(case: str, tracked: dict[str, tuple[Path, Done]]) -> None:
    output, done = tracked[case]
    assert KEY not in done.stdout + done.stderr
    for folder in (output.parent, output.parent.parent):
        assert not [name for name, content in files(folder).items() if KEY.encode() in content]
