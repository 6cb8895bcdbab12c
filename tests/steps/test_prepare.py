"""The first task of a run on a cluster: requests in the run record, and which steps have work to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from steprun import IDENTITY, Done

from hub_steps import storage
from hub_steps.bundle import Bundle
from hub_steps.contract import Request
from hub_steps.runner import read_request

if TYPE_CHECKING:
    from pathlib import Path

    from objectstore import ObjectStore

TEXT = {"text": '{"document": "one"}\n', "none": None}
RUN = "animals-0123456789"


def request(root: str, step: str, key: str = "e", **changes: Any) -> Request:
    given = {
        "kind": "mix", "step": step, "key": key * 64, "output": f"{root}/outputs/animals/{step}/{key}", "identity": IDENTITY,
        "parameters": {"datasets": {"books": {"location": "data/books.jsonl", "format": "document"}}, "system_prompt": None},
        "inputs": {"dataset.books": {"key": "1" * 64, "documents": TEXT}}, **changes,
    }  # fmt: skip
    return Request.model_validate(given)


def gate(root: str) -> Request:
    parameters = {"gates": [{"metric": "held_out.f1", "min": 0.5}], "published": "models/animals"}
    return request(root, "gate", kind="gate", parameters=parameters, inputs={})


def finish(request: Request, size: int = 4, **changes: Any) -> None:
    """Leave an output as a finished step does."""
    entry = {"path": "train.jsonl", "size": size, "sha256": "0" * 64, "modified_ns": 1}
    marker = {
        "kind": request.kind, "step": request.step, "key": request.key, "material": {}, "run": "before", "started_at": 0,
        "finished_at": 0, "summary": "", "metrics": {}, "files": [entry], "packages": {}, **changes,
    }  # fmt: skip
    storage.write_text(f"{request.output}/train.jsonl", "four")
    storage.write_text(f"{request.output}/result.json", json.dumps(marker))


def prepare(folder: Path, plan: str | bytes, **environment: str) -> Done:
    (folder / "plan.json").write_bytes(plan if isinstance(plan, bytes) else plan.encode())
    done = subprocess.run(
        [sys.executable, "-m", "hub_steps.prepare", "--plan", folder / "plan.json", "--todo", folder / "todo"],
        capture_output=True, text=True, check=False, env={**os.environ, "HUBC_RUN": RUN, **environment},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def words(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "todo").iterdir()}


@pytest.fixture(params=["file", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return (tmp_path / "root").as_uri() if request.param == "file" else str(request.getfixturevalue("bucket"))


def test_prepared_run(root: str, tmp_path: Path) -> None:
    steps = {name: request(root, name) for name in ("new", "whole", "short", "lost", "torn", "other", "mix")}
    finish(steps["whole"])
    finish(steps["short"], size=5)
    finish(steps["lost"])
    storage.remove(steps["lost"].output, ["train.jsonl"])
    storage.write_text(f"{steps['torn'].output}/result.json", '{"version": ')
    finish(steps["other"], key="f" * 64)
    steps["gate"] = gate(root)
    finish(steps["gate"], kind="gate")
    bundle = Bundle.pack(steps.values(), f"{root}/outputs/animals/.runs")
    assert list(bundle.documents.values()) == [TEXT]
    done = prepare(tmp_path, bundle.dump())
    assert (done.code, done.stderr) == (0, "")
    assert words(tmp_path) == dict.fromkeys(steps, "run") | {"whole": "done"}
    assert "7 of 8 steps to run; done before: whole" in done.messages
    assert "short runs again: train.jsonl has 4 bytes instead of 5" in done.messages
    assert "lost runs again: train.jsonl is missing" in done.messages
    there = [storage.exists(f"{steps[name].output}/result.json") for name in ("whole", "gate", "short", "lost", "torn")]
    assert there == [True, True, False, False, False]
    record = f"{root}/outputs/animals/.runs/{RUN}"
    assert sorted(storage.sizes(record)) == sorted(f"{name}.request.json" for name in steps)
    found, _ = read_request("mix", f"{record}/new.request.json")
    assert found == steps["new"].model_copy(
        update={"record": record, "identity": found.identity, "output": steps["new"].output}
    )
    assert (found.identity.run, found.inputs["dataset.books"].documents) == (RUN, TEXT)


def test_published_files_are_looked_at(root: str, tmp_path: Path) -> None:
    step = request(root, "publish")
    storage.write_text(f"{root}/published/model", "model")
    path = f"{root}/published/model".removeprefix("file://")
    entry = {"path": path, "size": 5, "sha256": "0" * 64, "modified_ns": 1}
    plan = Bundle.pack([step], f"{root}/.runs").dump()
    finish(step, files=[entry])
    assert prepare(tmp_path, plan).code == 0
    assert words(tmp_path) == {"publish": "done"}
    storage.remove(f"{root}/published", ["model"])
    assert prepare(tmp_path, plan).code == 0
    assert words(tmp_path) == {"publish": "run"}


def changed(plan: dict[str, Any], *path: str, value: Any) -> None:
    *parents, last = path
    for name in parents:
        plan = plan[name]
    plan[last] = value


def renamed(plan: dict[str, Any], name: str) -> None:
    plan["requests"][name] = {**plan["requests"].pop("mix"), "step": name}


BAD: dict[str, tuple[Any, str]] = {
    "version": (lambda plan: changed(plan, "version", value="v2"), "version: Input should be 'hubc.requests/v1'"),
    "extra": (lambda plan: changed(plan, "more", value=1), "more: Extra inputs are not permitted"),
    "record": (lambda plan: changed(plan, "record", value="http://x"), "record: String should match pattern"),
    "list": (lambda plan: changed(plan, "requests", value=[]), "requests: Input should be an object"),
    "path": (lambda plan: renamed(plan, "../../evil"), "requests.../../evil.[key]: String should match pattern"),
    "hidden": (lambda plan: renamed(plan, ".evil"), "requests..evil.[key]: String should match pattern"),
    "long": (lambda plan: renamed(plan, "e" * 129), "String should have at most 128 characters"),
    "other": (lambda plan: changed(plan, "requests", "mix", "step", value="x"), "mix: it is the request of 'x'"),
    "kind": (lambda plan: changed(plan, "requests", "mix", "kind", value="x"), "mix: kind: Input should be 'fetch'"),
    "empty": (lambda plan: changed(plan, "requests", "mix", value={}), "mix: it is not a request: KeyError: 'kind'"),
    "identity": (lambda plan: changed(plan, "requests", "mix", "identity", value=1), "mix: it is not a request: TypeError"),
    "documents": (lambda plan: changed(plan, "documents", value={}), "mix: input 'dataset.books': the bundle does not hold"),
    "digest": (
        lambda plan: changed(plan, "requests", "mix", "inputs", "dataset.books", "documents", value={"digest": [], "x": 1}),
        "mix: input 'dataset.books': the bundle does not hold",
    ),
    "scheme": (
        lambda plan: changed(plan, "requests", "mix", "output", value="gs://x/y"), "cannot use the location 'gs://x/y'"
    ),
    "dots": (lambda plan: changed(plan, "requests", "mix", "output", value="file:///x/../y"), "must not contain '..'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_plan(case: str, tmp_path: Path) -> None:
    plan = json.loads(Bundle.pack([request((tmp_path / "root").as_uri(), "mix")], (tmp_path / "runs").as_uri()).dump())
    change, wanted = BAD[case]
    change(plan)
    done = prepare(tmp_path, json.dumps(plan), HUBC_TERMINATION_LOG=str(tmp_path / "log"))
    assert (done.code, done.stdout) == (2, "")
    assert done.error.startswith("bad plan: ") and wanted in done.error
    assert (tmp_path / "log").read_text() == done.error[:4096]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "plan.json"]


@pytest.mark.parametrize(
    "plan",
    [b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"requests": ' * 500],
    ids=["empty", "half", "bytes", "null", "deep", "deeper"],
)
def test_unreadable_plan(plan: bytes, tmp_path: Path) -> None:
    done = prepare(tmp_path, plan)
    assert (done.code, done.stdout) == (2, "")
    assert done.error.startswith("bad plan: ")
    assert not (tmp_path / "todo").exists()


@pytest.mark.parametrize("run", ["", "../x", "a b"])
def test_run_without_a_name(run: str, tmp_path: Path) -> None:
    done = prepare(tmp_path, "{}", HUBC_RUN=run)
    assert (done.code, done.error) == (2, "bad plan: the variable HUBC_RUN does not hold the name of a run")


@pytest.mark.parametrize(
    ("change", "code", "wanted"),
    [({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"}, 75, "the store does not answer"),
     ({"AWS_SECRET_ACCESS_KEY": "wrong-secret-0123"}, 1, "the store refuses access")],
)  # fmt: skip
def test_store_that_gives_nothing(
    change: dict[str, str], code: int, wanted: str, bucket: str, store: ObjectStore, tmp_path: Path
) -> None:
    plan = Bundle.pack([request(bucket, "mix"), request(bucket, "other")], f"{bucket}/.runs").dump()
    done = prepare(tmp_path, plan, **store.environment(**change))
    assert done.code == code
    assert wanted in done.error
    assert not (tmp_path / "todo").exists()
