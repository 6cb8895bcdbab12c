"""Publishing to an object store: the same as to a folder, as far as a store without moves and locks can do it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from steprun import result
from test_step_gate import OVER, TUNED, check, publish, report
from test_step_publish import Shop

from hub_steps import storage
from hub_steps.contract import StepError
from hub_steps.publish.store import UNDER_WAY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path, bucket: str) -> Shop:
    shop = Shop(tmp_path)
    shop.root = bucket
    return shop


@pytest.fixture
def target(bucket: str) -> str:
    return f"{bucket}/models/animals"


def content(target: str) -> dict[str, bytes]:
    return {name: storage.read_bytes(f"{target}/{name}") for name in storage.sizes(target)}


def test_same_files_as_in_a_folder(shop: Shop, target: str, tmp_path: Path) -> None:
    done = shop.publish()
    assert (done.code, done.stderr) == (0, "")
    on_disk = Shop(tmp_path / "disk")
    assert on_disk.publish().code == 0
    assert {str(path.relative_to(on_disk.target)) for path in on_disk.target.rglob("*") if path.is_file()} == set(
        content(target)
    )
    made = result(shop.folder / "step" / "out")
    assert made["metrics"]["location"] == target
    assert {entry["path"].removeprefix(f"{target}/"): entry["size"] for entry in made["files"]} == storage.sizes(target)


def test_publishing_again_changes_nothing(shop: Shop, target: str) -> None:
    assert shop.publish().code == 0
    before = content(target)
    done = shop.publish()
    assert (done.code, done.messages.splitlines()[-1]) == (0, f"{target} already holds this release; nothing to do")
    assert content(target) == before


def test_next_release_takes_the_place(shop: Shop, target: str) -> None:
    assert shop.publish().code == 0
    shop.drop("model/more/part.json")
    assert shop.publish("2").code == 0
    after = content(target)
    assert {"more/part.json", UNDER_WAY}.isdisjoint(after)
    assert after["CHANGELOG.md"].decode().count("<!-- release ") == 2
    told = json.loads(after["provenance.json"])
    assert told["sizes"] == {name: len(data) for name, data in after.items() if name != "provenance.json"}


def test_half_that_a_killed_attempt_left_is_finished(shop: Shop, target: str) -> None:
    assert shop.publish().code == 0
    told = json.loads(storage.read_text(f"{target}/provenance.json"))
    begun = {**told, "release": "f" * 16, "files": {**told["files"], "model-2.safetensors": "0" * 64}}
    storage.write_text(f"{target}/{UNDER_WAY}", json.dumps(begun))
    storage.write_text(f"{target}/model-2.safetensors", "half")
    storage.write_text(f"{target}/README.md", "of the next release")
    assert shop.publish().code == 0
    after = content(target)
    assert {"model-2.safetensors", UNDER_WAY}.isdisjoint(after)
    assert b"All the animals" in after["README.md"]


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        ("notes.txt", "mine", "holds files that hubc did not publish, such as 'notes.txt'"),
        ("README.md", "better", "'README.md' in .* was changed after it was published"),
        ("model.safetensors", "longer than before", "'model.safetensors' in .* was changed after it was published"),
        ("provenance.json", "[]", "holds files that hubc did not publish"),
    ],
)
def test_nothing_of_others_is_lost(shop: Shop, target: str, name: str, text: str, error: str) -> None:
    assert shop.publish().code == 0
    storage.write_text(f"{target}/{name}", text)
    before = content(target)
    done = shop.publish("2")
    assert done.code == 1
    assert re.search(error, done.error)
    assert content(target) == before


def test_model_of_another_pipeline_stays(shop: Shop, target: str) -> None:
    assert shop.publish().code == 0
    told = json.loads(storage.read_text(f"{target}/provenance.json"))
    storage.write_text(f"{target}/provenance.json", json.dumps(told | {"pipeline": "plants"}))
    assert "holds a model of the pipeline 'plants'" in shop.publish("2").error


def test_gate_compares_with_what_is_published_there(tmp_path: Path, bucket: str) -> None:
    check(tmp_path, OVER, f"{bucket}/models", candidate__held_out=TUNED)
    assert "nothing is published yet" in report(tmp_path).gates[0].told
    publish(tmp_path, evaluation=TUNED.model_copy(update={"model": "older"}))
    storage.upload(tmp_path / "models", f"{bucket}/models", ["provenance.json", "evaluation.json"])
    with pytest.raises(StepError, match=r"held_out.f1 is 0.5 .published version: 0.5"):
        check(tmp_path, OVER, f"{bucket}/models", candidate__held_out=TUNED)
