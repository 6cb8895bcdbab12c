"""The run record of a step: a log for each node and the reason of a failure, without secrets, whatever the storage does."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import animals
import objectstore
import pytest
from steprun import Done, run, write_request

from hub_steps import record, storage

if TYPE_CHECKING:
    from pathlib import Path

    from objectstore import ObjectStore

MIX = {"datasets": {"books": {"location": "data/books.jsonl", "format": "document"}}}
SECRET = "hidden-0123456789"
KEY_LINES = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END KEY-----"


def mix(folder: Path, text: str, uri: str, **environment: str) -> Done:
    inputs = {"dataset.books": {"key": "1" * 64, "documents": {"text": text}}}
    return run("mix", write_request(folder, "mix", MIX, inputs, record=uri), **environment)


GOOD = '{"document": "one"}\n'


@pytest.fixture(params=["file", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A record folder, and the variables that lead there."""
    if request.param == "file":
        return (tmp_path / "record").as_uri(), {}
    return str(request.getfixturevalue("bucket")), request.getfixturevalue("store").environment()


def test_log_and_failure(place: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    folder, environment = place
    secrets = {"HUBC_SECRET_A__B": SECRET, "HUBC_SECRET_A__KEY": KEY_LINES}
    done = mix(tmp_path, f'{{"document": {{"{SECRET}": "MIIEvQIBADANBgkqhkiG9w0B"}}}}', folder, **environment, **secrets)
    assert done.code == 1
    failure = json.loads(storage.read_text(f"{folder}/mix.failure.json"))
    assert (failure["step"], failure["exit_code"], failure["error"]) == ("mix", 1, done.error)
    log = storage.read_text(f"{folder}/mix.0.log")
    assert log == done.stdout + done.stderr
    assert SECRET not in log + json.dumps(failure) and "MIIEvQ" not in log + json.dumps(failure)

    again = mix(tmp_path, GOOD, folder, **environment)
    assert (again.code, again.stderr) == (0, "")
    assert sorted(storage.sizes(folder)) == ["mix.0.log"]
    assert storage.read_text(f"{folder}/mix.0.log") == log + again.stdout


def test_child_processes_and_nodes(tmp_path: Path, model: Path) -> None:
    script = (
        "import os, sys\nprint('told by', os.getenv('HUBC_SECRET_A'))\nsys.stdout.flush()\n"
        "os.write(2, b'\\xff half')\nsys.exit(75)\n"
    )
    parameters = {"algorithm": "custom", "custom": {"script": "own.py"}}
    (tmp_path / "data.jsonl").write_text("{}\n")
    inputs = {
        "model": {"uri": model.as_uri(), "key": "m"}, "data": {"uri": (tmp_path / "data.jsonl").as_uri(), "key": "d"},
        "script": {"documents": {"text": script}, "key": "s"},
    }  # fmt: skip
    request = write_request(tmp_path, "train", parameters, inputs, record=(tmp_path / "record").as_uri())
    done = run("train", request, HUBC_SECRET_A=SECRET, PET_NODE_RANK="3")
    assert done.code == 75
    log = (tmp_path / "record" / "train.3.log").read_text()
    assert "told by ***\n" in log and "\N{REPLACEMENT CHARACTER} half" in log and SECRET not in done.stderr
    assert json.loads((tmp_path / "record" / "train.failure.json").read_text())["exit_code"] == 75


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_record_that_cannot_be_written(kind: str, store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = (tmp_path / "file").as_uri() if kind == "file" else f"s3://{objectstore.BUCKET}/none"
    done = mix(tmp_path, GOOD, folder, **store.environment(AWS_SECRET_ACCESS_KEY="wrong-secret-0123"))
    assert done.code == 0
    warnings = done.stderr.splitlines()
    assert len(warnings) == 1 and warnings[0].startswith("warning: the run record is not complete: ")
    assert "wrong-secret" not in done.stderr


def failing(folder: Path, inputs: dict[str, Any], **environment: str) -> Done:
    endpoint = {"teacher": {"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "wise"}}}
    return run("generate", write_request(folder, "generate", endpoint, inputs), **environment)


def test_termination_log(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    leaf = {**animals.LEAF, SECRET: 1, **{f"ü{number}": 1 for number in range(1000)}}
    bad = {"taxonomy": {"key": "1", "documents": {"a/b": leaf}}}
    done = failing(tmp_path, bad, HUBC_TERMINATION_LOG=str(log), HUBC_SECRET_A=SECRET)
    assert done.code == 2
    written = log.read_bytes()
    assert 4000 < len(written) <= 4096
    assert done.error.encode().startswith(written) and SECRET.encode() not in written
    done = failing(tmp_path, {}, HUBC_TERMINATION_LOG=str(tmp_path / "no" / "log"))
    assert done.code == 2
    assert done.stderr.splitlines()[-1] == f"warning: cannot write {tmp_path / 'no' / 'log'}: No such file or directory"


def test_log_is_stored_while_the_step_works(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "UPLOAD_SECONDS", 0.05)
    with record.StepRecord(bucket, "mix", 0).logged():
        os.write(1, b"early\n")
        while not storage.sizes(bucket):
            time.sleep(0.05)
        os.write(2, b"late\n")
    assert storage.read_text(f"{bucket}/mix.0.log") == "early\nlate\n"
