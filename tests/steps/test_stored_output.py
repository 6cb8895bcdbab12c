"""Steps whose outputs and inputs are in an object store: the marker comes last, and a half upload never counts."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import objectstore
import pytest
from steprun import Done, finish, run, start, until_event, write_request
from teacher import teaching
from test_generate_resume import INPUTS, NUM_TASKS, good

from hub_steps import storage
from hub_steps.contract import StepError
from hub_steps.inputs import Inputs
from hub_steps.runner import read_request

if TYPE_CHECKING:
    from pathlib import Path

    from objectstore import ObjectStore

DATA = "".join(json.dumps({"document": f"text {number}"}) + "\n" for number in range(9))
MIX = {"datasets": {"books": {"location": "data/books.jsonl", "format": "document"}}}
MIX_INPUTS = {"dataset.books": {"key": "1" * 64, "documents": {"text": DATA}}}
WANTED = ["recipe.json", "result.json", "train.jsonl"]


def mix_request(folder: Path, bucket: str, **extra: Any) -> str:
    """Put the request of a mix into the store, and return its URI."""
    path = write_request(folder, "mix", MIX, MIX_INPUTS, f"{bucket}/mix", **extra)
    storage.write_text(f"{bucket}/mix.request.json", path.read_text())
    return f"{bucket}/mix.request.json"


def mix(request: str, store: ObjectStore, folder: Path, port: int | None = None) -> Done:
    (folder / "tmp").mkdir(exist_ok=True)
    return run("mix", request, **store.environment(port), TMPDIR=str(folder / "tmp"))


def test_output_in_a_store(bucket: str, store: ObjectStore, tmp_path: Path) -> None:
    request = mix_request(tmp_path, bucket)
    storage.write_text(f"{bucket}/mix/left-over", "half")
    storage.write_text(f"{bucket}/mix/train.jsonl", "half")
    done = mix(request, store, tmp_path)
    assert (done.code, done.stderr) == (0, "")
    there = objectstore.objects(f"{bucket}/mix")
    assert sorted(there) == WANTED
    listed = {entry["path"]: entry["size"] for entry in json.loads(there["result.json"])["files"]}
    assert listed == {name: len(there[name]) for name in WANTED if name != "result.json"}
    assert sorted(storage.sizes(bucket)) == ["mix.request.json", *(f"mix/{name}" for name in WANTED)]
    assert not list((tmp_path / "tmp").iterdir())
    again = mix(request, store, tmp_path)
    assert (again.code, again.messages) == (0, "already done: the output has its completion marker")


def test_store_that_fails_during_the_upload(bucket: str, store: ObjectStore, tmp_path: Path) -> None:
    request = mix_request(tmp_path, bucket)
    with objectstore.network(store.port) as network:
        network.fail("cut", b"PUT /models/" + f"{bucket.rpartition('/')[2]}/mix/train.jsonl".encode())
        done = mix(request, store, tmp_path, network.port)
        assert (done.code, network.hurt.is_set()) == (75, True)
        assert done.error.startswith(f"cannot write {bucket}/mix/train.jsonl: the store does not answer: ")
        assert list(storage.sizes(f"{bucket}/mix")) == ["recipe.json"]
        network.fail("")
        assert mix(request, store, tmp_path, network.port).code == 0
    assert sorted(storage.sizes(f"{bucket}/mix")) == WANTED


def test_killed_during_the_upload(bucket: str, store: ObjectStore, tmp_path: Path) -> None:
    request = mix_request(tmp_path, bucket)
    with objectstore.network(store.port) as network:
        network.fail("hang", b"mix/train.jsonl")
        process = start("mix", request, **store.environment(network.port), TMPDIR=str(tmp_path))
        assert network.hurt.wait(60)
        process.kill()
        finish(process)
    assert list(storage.sizes(f"{bucket}/mix")) == ["recipe.json"]
    assert [path.name for path in tmp_path.glob("hubc-*")]
    assert run("mix", request, **store.environment(), TMPDIR=str(tmp_path)).code == 0
    assert sorted(storage.sizes(f"{bucket}/mix")) == WANTED
    assert not list(tmp_path.glob("hubc-*"))


@pytest.mark.parametrize(
    ("change", "code", "wanted"),
    [({"AWS_SECRET_ACCESS_KEY": "wrong-secret-0123"}, 2, "bad request: cannot read s3://"),
     ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, 75, "cannot read s3://")],
)  # fmt: skip
def test_request_that_cannot_be_read(
    change: dict[str, str], code: int, wanted: str, bucket: str, store: ObjectStore, tmp_path: Path
) -> None:
    done = run("mix", f"{bucket}/none.request.json", **store.environment(**change))
    assert done.code == code
    assert done.error.startswith(wanted)


def test_request_as_file_uri(tmp_path: Path) -> None:
    request = write_request(tmp_path / "a b", "mix", MIX, MIX_INPUTS)
    done = run("mix", request.as_uri(), HUBC_RUN="run-7")
    assert (done.code, done.stderr) == (0, "")
    assert json.loads((tmp_path / "a b" / "out" / "result.json").read_text())["run"] == "run-7"


def test_inputs_in_a_store(bucket: str, tmp_path: Path) -> None:
    for name in ("result.json", "model/config.json", "model/deep/x", "checkpoints/checkpoint-1/large", "train.jsonl"):
        storage.write_text(f"{bucket}/train/{name}", f"{name} x")
    named = {"model": "train/model", "data": "train/train.jsonl", "training": "train", "none": "train/none"}
    inputs = {name: {"uri": f"{bucket}/{path}", "key": name} for name, path in named.items()}
    request, _ = read_request("mix", str(write_request(tmp_path, "mix", MIX, MIX_INPUTS | inputs)))
    given = Inputs(request)
    model = given.input_path("model")
    assert storage.file_names(model) == ["config.json", "deep/x"]
    assert given.local_input("model").uri == model.as_uri()
    assert given.input_path("data").read_text() == "train.jsonl x"
    assert "checkpoints/checkpoint-1/large" not in storage.file_names(given.input_path("training", "checkpoints"))
    with pytest.raises(StepError, match=r"^input 'none' is missing: s3://"):
        given.input_path("none")
    given.leave_inputs()
    assert not model.exists()


def test_answers_outlive_a_stop(bucket: str, store: ObjectStore, tmp_path: Path) -> None:
    asked = []

    def some(server: Any, body: dict[str, Any], handler: object) -> Any:
        asked.append(body)
        if len(asked) > 10:
            server.closing.wait()
            return None
        return good(server, body, handler)

    def request(parameters: dict[str, Any]) -> Path:
        return write_request(tmp_path, "generate", parameters, INPUTS, f"{bucket}/generate")

    more = {"samples_per_seed": 4, "batch_size": 2, "endpoint": {"parallel_requests": 1}}
    with teaching(some) as server:
        process = start("generate", request(server.parameters(**more)), **store.environment(), TMPDIR=str(tmp_path))
        until_event(process, '"progress"', 10)
        process.send_signal(signal.SIGTERM)
        done = finish(process)
    assert (done.code, done.error) == (143, "stopped as asked")
    left = objectstore.objects(f"{bucket}/generate.partial")
    assert [len(content.splitlines()) for content in left.values()] == [10]
    with teaching(good) as server:
        done = run("generate", request(server.parameters(**more)), **store.environment(), TMPDIR=str(tmp_path))
    assert (done.code, len(server.bodies)) == (0, NUM_TASKS - 10)
    assert storage.sizes(f"{bucket}/generate.partial") == {}
    assert "train.jsonl" in storage.sizes(f"{bucket}/generate")
