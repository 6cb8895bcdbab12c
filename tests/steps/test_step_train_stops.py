"""A training that is killed, and one that is told to stop: the next attempt goes on and ends with the same adapter."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from steprun import Done, finish, result, run, start, until_event
from trainrun import STEPS, data, train_request

if TYPE_CHECKING:
    from pathlib import Path


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started, as the end of a container does."""
    step = psutil.Process(pid)
    for process in [step, *step.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[Path, list[Done], list[list[str]]]:
    """Three attempts at one request, the first killed, the second told to stop; and the checkpoints after each."""
    folder = tmp_path_factory.mktemp("stopped")
    request = train_request(folder, model, data(folder))
    checkpoints = folder / "out.partial" / "scratch"
    ended, left = [], []

    process = start("train", request)
    until_event(process, '"unit": "steps"', 7)
    kill_tree(process.pid)
    ended.append(finish(process))
    left.append([path.name for path in checkpoints.iterdir()])
    (checkpoints / "checkpoint-999").mkdir()

    process = start("train", request)
    until_event(process, '"unit": "steps"', 3)
    process.send_signal(signal.SIGTERM)
    ended.append(finish(process))
    left.append([path.name for path in checkpoints.iterdir()])
    assert not (folder / "out").exists()

    ended.append(run("train", request))
    return folder, ended, left


def test_killed(attempts: tuple[Path, list[Done], list[list[str]]]) -> None:
    _, ended, left = attempts
    assert ended[0].code == -signal.SIGKILL
    assert left[0]


def test_told_to_stop(attempts: tuple[Path, list[Done], list[list[str]]]) -> None:
    _, ended, left = attempts
    assert (ended[1].code, ended[1].error) == (143, "stopped as asked")
    assert len(left[1]) == 1 and left[1][0] != "checkpoint-999"
    assert int(left[1][0].removeprefix("checkpoint-")) < STEPS


def test_goes_on(attempts: tuple[Path, list[Done], list[list[str]]]) -> None:
    folder, ended, left = attempts
    assert ended[2].code == 0
    assert f"resuming from {left[1][0]}" in ended[2].messages
    first = next(event["done"] for event in ended[2].events if event["hubc"] == "progress")
    assert left[1] == [f"checkpoint-{first - 1}"]
    assert result(folder / "out")["metrics"]["steps"] == STEPS
    assert not (folder / "out" / "scratch").exists()
    assert not (folder / "out.partial").exists()


def test_same_seed_gives_the_same_adapter(
    attempts: tuple[Path, list[Done], list[list[str]]], trained: dict[str, tuple[Path, list[Done]]]
) -> None:
    name = "adapter/adapter_model.safetensors"
    assert (trained["one"][0] / name).read_bytes() == (attempts[0] / "out" / name).read_bytes()
