"""A training on two nodes whose output is in an object store: checkpoints outlive the nodes' disks."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest
from steprun import Done, finish_all, until_event
from trainrun import STEPS, data, start_nodes, train_request

from hub_steps import storage
from hub_steps.remains import Remains

if TYPE_CHECKING:
    from pathlib import Path

    from objectstore import ObjectStore


def attempt(folder: Path, bucket: str, model: Path, store: ObjectStore, stop_after: int | None) -> list[Done]:
    """Train on two nodes with disks of their own, and stop both after so many steps."""
    request = train_request(folder, model, data(folder), f"{bucket}/train", save_steps=12, save_total_limit=2)
    told = json.loads(request.read_text())
    told["inputs"]["data"]["uri"] = f"{bucket}/mix/train.jsonl"
    request.write_text(json.dumps(told))
    nodes = start_nodes(request, 2, TMPDIR=str(folder), **store.environment())
    if stop_after:
        until_event(nodes[0], '"unit": "steps"', stop_after)
        for node in nodes:
            node.send_signal(signal.SIGTERM)
    return finish_all(nodes)


def test_stopped_training_goes_on_elsewhere(bucket: str, store: ObjectStore, model: Path, tmp_path: Path) -> None:
    storage.write_text(f"{bucket}/mix/train.jsonl", data(tmp_path).read_text())
    stopped = attempt(tmp_path, bucket, model, store, 17)
    assert [(done.code, done.error) for done in stopped] == [(143, "stopped as asked")] * 2
    there = storage.sizes(f"{bucket}/train.partial")
    step = max(int(found[1]) for path in there if (found := re.match(r"uploaded/scratch/checkpoint-(\d+)/", path)))
    assert 17 <= step < STEPS
    name = f"checkpoint-{step}"
    assert {f"uploaded/scratch/{name}/{node}.json" for node in (0, 1)} <= there.keys()
    assert {f"scratch/{name}/trainer_state.json", f"scratch/{name}/rng_state_1.pth"} <= there.keys()
    assert "uploaded/checkpoints/checkpoint-12/0.json" in there
    assert not list(tmp_path.glob("hubc-*"))

    # A half that a killed attempt left, newer than the whole one.
    storage.write_text(f"{bucket}/train.partial/scratch/checkpoint-39/trainer_state.json", "{}")
    storage.write_text(f"{bucket}/train.partial/uploaded/scratch/checkpoint-39/1.json", '{"nodes": 2, "files": {}}')
    ended = attempt(tmp_path, bucket, model, store, None)
    assert [done.code for done in ended] == [0, 0], ended
    assert f"resuming from {name}" in ended[0].messages
    output = storage.sizes(f"{bucket}/train")
    assert {"result.json", "model/model.safetensors", "checkpoints/checkpoint-24/trainer_state.json"} <= output.keys()
    assert sorted({path.split("/")[1] for path in output if path.startswith("checkpoints/")}) == [
        "checkpoint-24", "checkpoint-36",
    ]  # fmt: skip
    assert not [path for path in output if path.startswith("scratch/")]
    assert storage.sizes(f"{bucket}/train.partial") == {}


def places(folder: Path, uri: str, nodes: int) -> list[Remains]:
    found = []
    for node in range(nodes):
        work, ready = folder / str(node) / "work", folder / str(node) / "ready"
        ready.mkdir(parents=True)
        (work / "scratch").mkdir(parents=True)
        found.append(Remains(work, ready, uri, node, nodes))
    return found


def hand_over(remains: Remains, step: int, text: str) -> None:
    folder = remains.ready / f"checkpoint-{step}"
    folder.mkdir()
    (folder / f"part-{remains.node}").write_text(text)


def restored(folder: Path, uri: str, node: int = 0) -> list[str]:
    new = Remains(folder / "work", folder / "ready", uri, node, 2)
    new.restore()
    return storage.file_names(folder / "work")


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_checkpoint_counts_once_every_node_has_stored_its_part(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    uri = (tmp_path / "store").as_uri() if kind == "file" else str(request.getfixturevalue("bucket"))
    first, second = places(tmp_path, uri, 2)
    for remains in (first, second):
        hand_over(remains, 2, "two")
        remains.finish()
    hand_over(first, 10, "ten")
    first.finish()
    assert restored(tmp_path / "a", uri, node=1) == ["scratch/checkpoint-2/part-0", "scratch/checkpoint-2/part-1"]
    hand_over(second, 10, "ten")
    second.finish()
    assert restored(tmp_path / "b", uri, node=1) == ["scratch/checkpoint-10/part-0", "scratch/checkpoint-10/part-1"]
    storage.write_text(f"{uri}/scratch/checkpoint-10/part-1", "other")
    assert restored(tmp_path / "c", uri)[0] == "scratch/checkpoint-2/part-0"
    assert not [name for name in storage.sizes(uri) if "checkpoint-10" in name]


def test_old_checkpoints_make_room(tmp_path: Path) -> None:
    uri = (tmp_path / "store").as_uri()
    first, second = places(tmp_path, uri, 2)
    kept = first.folder / "checkpoints"
    for step in (8, 9, 10):
        (kept / f"checkpoint-{step}").mkdir(parents=True)
        (kept / f"checkpoint-{step}" / "model").write_text("model")
        for remains in (second, first):
            hand_over(remains, step, "text")
            remains.finish()
        (kept / f"checkpoint-{step}" / "model").unlink()
        (kept / f"checkpoint-{step}").rmdir()
    assert {name.split("/")[-2] for name in storage.sizes(uri) if "scratch" in name} == {"checkpoint-10"}
    assert {name.split("/")[-2] for name in storage.sizes(uri) if "checkpoints" in name} == {"checkpoint-10"}
    first.remove()
    assert storage.sizes(uri) == {}


def test_store_that_fails_is_told_and_not_raised(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    (remains,) = places(tmp_path, (tmp_path / "file" / "below").as_uri(), 1)
    (remains.folder / "scratch" / "answers.jsonl").write_text("{}")
    remains.finish()
    assert "what the next attempt may go on from is not stored: " in capfd.readouterr().out
