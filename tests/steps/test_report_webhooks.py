"""Webhooks hear from a cluster what they hear from one machine; each is told whatever happens to the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from github_stand_in import github
from reporting_run import RUN, ReportedRun
from webhook_receiver import Receiver, receiving

from hub_steps.contract import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "Bearer of-good-tidings"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> ReportedRun:
    monkeypatch.setenv("HUBC_RUN", RUN)
    return ReportedRun(tmp_path, capsys)


def test_what_they_hear(run: ReportedRun, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBC_SECRET_HOOKS__AUTHORIZATION", f"{SECRET}\n")
    run.tells(receiver.url, "started", "failed", secret=True)
    run.done("generate", "26 pairs", run="animals-former")
    assert run.report("Running") == (ExitCode.DONE, "")
    run.failed("train", f"{SECRET} is out of memory")
    assert run.report("Failed") == (ExitCode.DONE, "")
    assert receiver.events == ["started", "failed"]
    assert {authorization for authorization, _ in receiver.heard} == {SECRET}
    body = receiver.heard[1][1]
    body.pop("timestamp")
    assert body == {
        "version": "hubc.notification/v1", "event": "failed", "run": RUN, "pipeline": "animals", "platform": "cluster",
        "plan_digest": "9" * 64, "state": "failed", "detail": "step 'train' failed: *** is out of memory",
        "steps": [
            {"id": "generate", "kind": "generate", "state": "reused", "progress": "", "summary": "26 pairs"},
            {"id": "train", "kind": "train", "state": "failed", "progress": "", "summary": ""},
            {"id": "evaluate-tuned", "kind": "evaluate", "state": "cancelled", "progress": "", "summary": ""},
            {"id": "publish", "kind": "publish", "state": "cancelled", "progress": "", "summary": ""},
        ],
    }  # fmt: skip


def test_only_what_they_asked_for(run: ReportedRun, receiver: Receiver) -> None:
    run.tells(receiver.url, "failed")
    assert run.report("Succeeded") == (ExitCode.DONE, "")
    assert receiver.heard == []


@pytest.mark.parametrize(
    ("codes", "headers", "code", "times"),
    [
        ([503], {"Retry-After": "0"}, ExitCode.DONE, 2),
        ([429], {"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT"}, ExitCode.DONE, 2),
        ([503] * 9, {"Retry-After": "0"}, ExitCode.RETRY, 3),
        ([503], {"Retry-After": "9999"}, ExitCode.RETRY, 1),
        ([403] * 9, {}, ExitCode.FAILED, 1),
        ([307] * 9, {"Location": "http://127.0.0.1:9/"}, ExitCode.FAILED, 1),
    ],
)
def test_trouble(
    run: ReportedRun, receiver: Receiver, codes: list[int], headers: dict[str, str], code: ExitCode, times: int
) -> None:
    receiver.codes, receiver.headers = list(codes), headers
    run.tells(receiver.url, "succeeded")
    found, told = run.report("Succeeded")
    assert (found, len(receiver.heard)) == (code, times)
    assert told == ("" if code == ExitCode.DONE else f"error: {receiver.url} answered {codes[0]}\n")


def test_each_is_told_whatever_happens_to_others(
    run: ReportedRun, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBC_SECRET_GITHUB__TOKEN", "t-hubc")
    run.tells("http://127.0.0.1:9/hooks", "succeeded", secret=True)
    run.tells("http://127.0.0.1:9/hooks", "succeeded")
    run.tells(receiver.url, "succeeded")
    with github() as hub:
        run.tells_github(hub.url)
        code, told = run.report("Succeeded")
        assert len(hub.own()) == len(hub.statuses) == 1
    assert receiver.events == ["succeeded"]
    assert code == ExitCode.RETRY
    assert "the secret HUBC_SECRET_HOOKS__AUTHORIZATION is not set" in told
    assert "http://127.0.0.1:9/hooks: [Errno 111]" in told


def test_run_in_an_object_store(run: ReportedRun, receiver: Receiver, bucket: str) -> None:
    run.tells(receiver.url, "failed")
    run.done("generate", "26 pairs")
    run.failed("train", "")
    (run.record / "train.0.log").write_bytes(b"half a letter: \xc3")
    assert run.report("Failed", bucket) == (ExitCode.DONE, "")
    [(_, told)] = receiver.heard
    assert {step["id"]: step["state"] for step in told["steps"]} == {
        "generate": "succeeded", "train": "failed", "evaluate-tuned": "cancelled", "publish": "cancelled",
    }  # fmt: skip


def test_storage_that_cannot_be_read(run: ReportedRun, receiver: Receiver) -> None:
    run.tells(receiver.url, "failed")
    run.steps[0]["output"] = "nfs://gone/generate"
    run.failed("train", "out of memory")
    code, told = run.report("Error")
    assert code == ExitCode.RETRY
    assert "cannot read what step 'generate' left" in told
    body = receiver.heard[0][1]
    assert [step["state"] for step in body["steps"]] == ["unknown", "failed", "cancelled", "cancelled"]


def test_a_gate_is_not_reused(run: ReportedRun, receiver: Receiver) -> None:
    run.tells(receiver.url, "failed")
    run.steps.append({"id": "gate", "kind": "gate", "key": "e" * 64, "output": run.output("gate").as_uri(),
                      "is_volatile": True})  # fmt: skip
    run.done("gate", run="animals-former")
    run.report("Failed")
    assert receiver.heard[0][1]["steps"][-1]["state"] == "cancelled"


def test_the_marker_of_this_run_outweighs_a_former_failure(run: ReportedRun, receiver: Receiver) -> None:
    run.tells(receiver.url, "succeeded")
    run.failed("generate", "no connection", code=75)
    run.done("generate")
    (run.output("train")).mkdir(parents=True)
    (run.output("train") / "result.json").write_text("{")
    run.report("Succeeded")
    assert [step["state"] for step in receiver.heard[0][1]["steps"][:2]] == ["succeeded", "cancelled"]


def test_as_a_program(run: ReportedRun, receiver: Receiver) -> None:
    run.tells(receiver.url, "succeeded")
    command = [sys.executable, "-m", "hub_steps.report", "--request", str(run.write_request()), "--status", "Succeeded"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "HUBC_RUN": RUN})
    assert json.loads(done.stdout)["text"] == "told that the run is succeeded; could not tell 0"
    assert done.stderr == ""
    assert receiver.events == ["succeeded"]


@pytest.mark.parametrize("name", ["", "../other"])
def test_a_run_without_a_name(run: ReportedRun, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HUBC_RUN", name)
    code, told = run.report("Succeeded")
    assert code == ExitCode.BAD_REQUEST
    assert "HUBC_RUN" in told


def test_a_bad_request(run: ReportedRun) -> None:
    run.github = {"repository": "no slash"}
    code, told = run.report("Succeeded")
    assert code == ExitCode.BAD_REQUEST
    assert told.startswith("error: bad request: github.repository: ")
