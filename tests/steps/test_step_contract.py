"""The contract of every step: request in, events and files out, one clear message and exit code at the end."""

from __future__ import annotations

import errno
import json
import shutil
import signal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import animals
import pytest
import teacher
from steprun import files, finish, result, run, start, write_request

from hub_steps.contract import redact
from hub_steps.files import is_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ENDPOINT = {"teacher": {"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "wise"}}}


def good(server: teacher.Teacher, body: dict[str, Any], handler: object) -> teacher.Answer:
    return teacher.completion(animals.good_reply(teacher.asked_text(body)))


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    return write_request(tmp_path, "generate", ENDPOINT, {"taxonomy": animals.TAXONOMY})


def changed(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


BAD = {
    "extra": ({"surprise": 1}, "surprise: Extra inputs are not permitted"),
    "no-kind": ({"kind": "bake"}, "kind: Input should be 'fetch', 'generate', "),
    "other-kind": ({"kind": "evaluate", "parameters": {}}, "it asks for 'evaluate', not 'generate'"),
    "parameter": ({"parameters": {**ENDPOINT, "sample": 1}}, "sample: Extra inputs are not permitted"),
    "value": ({"parameters": {**ENDPOINT, "temperature": "hot"}}, "temperature: Input should be a valid number"),
    "one-of": ({"parameters": {"teacher": {}}}, "teacher: exactly one of 'serve' and 'endpoint' is needed"),
    "no-input": ({"inputs": {}}, "it has no input 'taxonomy'"),
    "no-leaves": ({"inputs": {"taxonomy": {"key": "1", "documents": {}}}}, "the taxonomy has no leaves"),
    "bad-leaf": (
        {"inputs": {"taxonomy": {"key": "1", "documents": {"a/b": {**animals.LEAF, "domain": " "}}}}},
        "leaf a/b: domain: String should match pattern",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_request_is_named_on_one_line(case: str, request_file: Path, tmp_path: Path) -> None:
    changes, wanted = BAD[case]
    changed(request_file, **changes)
    done = run("generate", request_file)
    assert (done.code, done.stdout) == (2, "")
    assert done.error.startswith(f"bad request: {wanted}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [(None, "No such file"), ("{", "Invalid JSON"), ("[]", "Input should be an object"), ("\udcff", "can't decode"),
     ("[" * 100_000, "Invalid JSON: recursion limit")],
)  # fmt: skip
def test_unreadable_request(text: str | None, wanted: str, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    if text is not None:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
    done = run("generate", path)
    assert done.code == 2
    assert done.error.startswith("bad request: ") and wanted in done.error


def test_request_in_a_variable(request_file: Path) -> None:
    missing = run("generate", "env:HUBC_REQUEST")
    assert (missing.code, missing.error) == (2, "bad request: the variable HUBC_REQUEST is not set")
    changed(request_file, key=1)
    done = run("generate", "env:HUBC_REQUEST", HUBC_REQUEST=request_file.read_text())
    assert (done.code, done.error) == (2, "bad request: key: Input should be a valid string")


def test_unknown_kind_on_the_command_line(request_file: Path) -> None:
    done = run("bake", request_file)
    assert done.code == 2
    assert "invalid choice: 'bake'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any]]:
    """A step that went well, and its request."""
    folder = tmp_path_factory.mktemp("generated")
    with teacher.teaching(good) as server:
        request = write_request(folder, "generate", server.parameters(), {"taxonomy": animals.TAXONOMY})
        yield request, run("generate", request)


def test_result_lists_files_with_their_digests(generated: tuple[Path, Any]) -> None:
    request, done = generated
    assert (done.code, done.stderr) == (0, "")
    output = request.parent / "out"
    found = result(output)
    content = {name: data for name, data in files(output).items() if name != "result.json"}
    listed = {entry["path"]: (entry["size"], entry["sha256"]) for entry in found["files"]}
    assert listed == {name: (len(data), sha256(data).hexdigest()) for name, data in content.items()}
    assert {"train.jsonl", "dropped.jsonl", "preview.md"} <= set(listed)
    assert found["summary"] == "5 pairs from 5 requests; dropped: none"
    assert (found["key"], found["run"], found["kind"]) == ("e" * 64, "run-1", "generate")
    assert found["material"]["inputs"] == {"taxonomy": "7" * 64}
    assert found["started_at"] <= found["finished_at"]
    assert not output.with_name("out.partial").exists()


def test_events_are_lines_of_json(generated: tuple[Path, Any]) -> None:
    _, done = generated
    assert {event["hubc"] for event in done.events} == {"message", "progress"}
    assert [event["done"] for event in done.events if event["hubc"] == "progress"] == [1, 2, 3, 4, 5]
    assert all(isinstance(event["time"], float) for event in done.events)


def test_finished_work_is_not_done_again(generated: tuple[Path, Any], tmp_path: Path) -> None:
    shutil.copytree(generated[0].parent / "out", tmp_path / "out")
    before = files(tmp_path)
    request = write_request(tmp_path, "generate", ENDPOINT, {"taxonomy": animals.TAXONOMY})
    done = run("generate", request)
    assert (done.code, done.messages) == (0, "already done: the output has its completion marker")
    assert {name: data for name, data in files(tmp_path).items() if name != "request.json"} == before


def test_output_without_a_marker_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train.jsonl").write_text("half")
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "left-over").write_text("half")
    with teacher.teaching(good) as server:
        request = write_request(tmp_path, "generate", server.parameters(), {"taxonomy": animals.TAXONOMY})
        assert run("generate", request).code == 0
    assert sorted(files(tmp_path / "out")) == ["dropped.jsonl", "preview.md", "result.json", "train.jsonl"]
    assert b"half" not in (tmp_path / "out" / "train.jsonl").read_bytes()


@pytest.mark.parametrize("way", ["signal", "end of input"])
def test_stopped_step(way: str, tmp_path: Path) -> None:
    with teacher.teaching(teacher.silent) as server:
        request = write_request(tmp_path, "generate", server.parameters(), {"taxonomy": animals.TAXONOMY})
        process = start("generate", request, **({"HUBC_STOP_ON_EOF": "1"} if way == "end of input" else {}))
        assert server.seen.wait(60)
        if way == "signal":
            process.send_signal(signal.SIGTERM)
        else:
            assert process.stdin
            process.stdin.close()
            process.stdin = None
        done = finish(process)
    assert (done.code, done.error) == (143, "stopped as asked")
    assert not (tmp_path / "out").exists()


def test_input_that_ends_does_not_matter_unless_asked_for(tmp_path: Path) -> None:
    with teacher.teaching(good) as server:
        request = write_request(tmp_path, "generate", server.parameters(), {"taxonomy": animals.TAXONOMY})
        process = start("generate", request)
        assert process.stdin
        process.stdin.close()
        process.stdin = None
        assert finish(process).code == 0


def test_other_locations_are_refused(request_file: Path) -> None:
    changed(request_file, output="gs://bucket/out")
    done = run("generate", request_file)
    assert (done.code, done.error.partition(":")[0]) == (1, "cannot use the location 'gs")


def test_secrets_are_redacted_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBC_SECRET_A", "short")
    monkeypatch.setenv("HUBC_SECRET_B", "short-and-longer")
    monkeypatch.setenv("HUBC_SECRET_C", 'quoted"\n')
    monkeypatch.setenv("HUBC_SECRET_D", "")
    text = 'short, short-and-longer, quoted", ' + json.dumps('quoted"')
    assert redact(text) == '***, ***, ***, "***"'


def test_full_disk_is_worth_a_retry(small_disk: Callable[[str], Path], tmp_path: Path) -> None:
    disk = small_disk("16k")
    with pytest.raises(OSError, match="No space left"), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    with teacher.teaching(good) as server:
        request = write_request(
            tmp_path, "generate", server.parameters(), {"taxonomy": animals.TAXONOMY}, output=disk / "out"
        )
        done = run("generate", request)
    assert done.code == 75
    assert done.error.startswith("no space left on the device that holds ") and done.error.endswith("then run again")
    assert not (disk / "out").exists()


def test_full_disk_is_told_from_other_errors() -> None:
    with pytest.raises(OSError, match="No space left") as caught, open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
        full.write(b"x")
    assert is_disk_full(caught.value)
    assert is_disk_full(shutil.Error([("a", "b", str(caught.value))]))
    assert not is_disk_full(OSError(errno.EACCES, "Permission denied"))
