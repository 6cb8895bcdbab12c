"""`hubc doctor` on this machine: what runs need here, for a plan and in general."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from hubc.cli import main
from hubc.doctor import machine, packages

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEC = "specs/pipelines/quickstart.yaml"


@pytest.fixture
def doctor(repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run the command; return its exit code, and state, text and remedy by subject."""
    monkeypatch.setenv("HUBC_CACHE", str(repo / "cache"))

    def run(*arguments: str) -> tuple[int, dict[str, tuple[str, str, str]]]:
        code = main(["doctor", *arguments, "--platform", "local", "--format", "json"])
        found = json.loads(capsys.readouterr().out)["findings"]
        return code, {each["subject"]: (each["state"], each["text"], each["remedy"]) for each in found}

    return run


def change(repo: Path, **sections: Any) -> None:
    path = repo / SPEC
    spec = yaml.safe_load(path.read_text())
    spec["spec"] |= sections
    path.write_text(yaml.safe_dump(spec))


def test_a_machine_that_is_ready(doctor: Callable[..., Any], repo: Path) -> None:
    code, found = doctor(SPEC)
    assert code == 0
    assert found[f"model cache {repo / 'cache'}"][:2] == ("good", f"can be made in {repo}")
    for extra in ("generate", "train", "evaluate"):
        assert found[f"packages of extra '{extra}'"][0] == "good"
    assert found[f"storage {(repo / '.hubc' / 'outputs').as_uri()}"][0] == "good"
    assert found["target of step 'publish'"] == ("good", f"{repo / 'published' / 'quickstart'} is free", "")
    assert not (repo / "cache").exists()
    assert not (repo / ".hubc").exists()


def test_without_a_spec(doctor: Callable[..., Any], repo: Path) -> None:
    code, found = doctor()
    assert code == 0
    assert list(found)[:2] == [f"model cache {repo / 'cache'}", "disk space"]


def test_what_is_missing(doctor: Callable[..., Any], repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = {"endpoint": {"url": "http://127.0.0.1:9/v1", "model": "wise", "api_key": {"secret": "wise", "key": "token"}}}
    change(repo, generate={"teacher": teacher})
    monkeypatch.setitem(packages.PACKAGES, "train", ("torch", "no_such_package"))
    code, found = doctor(SPEC)
    assert code == 1
    assert found["packages of extra 'train'"] == ("bad", "step 'train' needs no_such_package", "pip install 'hubc[train]'")
    secret = found["secret HUBC_SECRET_WISE__TOKEN"]
    assert secret == ("bad", "step 'generate' needs it", "set HUBC_SECRET_WISE__TOKEN where hubc runs")
    assert found["teacher of step 'generate'"][0] == "bad"
    monkeypatch.setenv("HUBC_SECRET_WISE__TOKEN", "a-token")
    _, found = doctor(SPEC)
    assert found["secret HUBC_SECRET_WISE__TOKEN"][0] == "good"
    assert found["teacher of step 'generate'"][:2] == ("bad", "nobody listens at http://127.0.0.1:9")


def test_little_room(doctor: Callable[..., Any], repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo / "file").write_text("")
    monkeypatch.setenv("HUBC_CACHE", str(repo / "file" / "cache"))
    monkeypatch.setattr(machine, "GIB", psutil.virtual_memory().total)
    code, found = doctor(SPEC)
    assert code == 1
    assert found[f"model cache {repo / 'file' / 'cache'}"][0] == "bad"
    assert found["memory"][0] == "unknown"
    assert "memory_gib" in found["memory"][2]


def test_a_probe_is_for_clusters(capsys: pytest.CaptureFixture[str], repo: Path) -> None:
    assert main(["doctor", "--platform", "local", "--probe"]) == 2
    assert "this machine: there is no pod to probe it with" in capsys.readouterr().err
