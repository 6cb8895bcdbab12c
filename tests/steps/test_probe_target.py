"""Whether a target can be published to: what a probe says of folders, object stores, GitHub and the Hugging Face Hub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from answers import Asked, Behaviour, Reply, answering

from hub_steps import storage
from hub_steps.probe.checks import findings
from hub_steps.probe.request import ProbeRequest

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.probe.finding import Finding

TOKEN = {"secret": "hub", "key": "token"}
VARIABLE, VALUE = "HUBC_SECRET_HUB__TOKEN", "a-token-that-nobody-may-see"
REPOSITORY = {"permissions": {"push": True}}
WHO = {"name": "ada", "orgs": [{"name": "team", "roleInOrg": "write"}, {"name": "guests", "roleInOrg": "read"}]}
READER = {"auth": {"accessToken": {"role": "read"}}}
TAGGED = {"tags": [{"name": "v1"}]}


def probe(**target: Any) -> Finding:
    document = {"targets": [{"step": "publish", "pipeline": "animals", "version": "1.0", **target}]}
    (finding,) = findings(ProbeRequest.model_validate_json(json.dumps(document)))
    assert finding.subject == "target of step 'publish'"
    assert finding.state == "good" or finding.remedy
    assert VALUE not in finding.line()
    return finding


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, VALUE)


@pytest.fixture(params=["file", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return tmp_path.as_uri() if request.param == "file" else str(request.getfixturevalue("bucket"))


def test_folders(root: str) -> None:
    location = f"{root}/models/animals"
    assert probe(location=location).state == "good"
    storage.write_text(f"{location}/notes.txt", "mine")
    assert "holds files that hubc did not publish" in probe(location=location).text
    provenance = {"release": "a" * 16, "pipeline": "animals", "version": "0.9", "files": {"notes.txt": ""}}
    storage.write_text(f"{location}/provenance.json", json.dumps(provenance))
    assert (probe(location=location).state, probe(location=location, pipeline="plants").state) == ("good", "bad")
    storage.write_text(f"{location}/provenance.json", json.dumps(provenance | {"version": "1.0"}))
    taken = probe(location=location)
    assert (taken.state, taken.remedy) == ("bad", "raise 'version'")
    assert storage.sizes(root).keys() == {"models/animals/notes.txt", "models/animals/provenance.json"}


def serving(answers: dict[str, Reply]) -> Behaviour:
    """Answer each path as told, and others with 404."""

    def behaviour(asked: Asked) -> Reply:
        assert asked.headers["Authorization"] == f"Bearer {VALUE}"
        return answers.get(asked.path, (404, {"message": "Not Found"}, {}))

    return behaviour


@pytest.mark.parametrize(
    ("answers", "state", "said"),
    [
        ({}, "good", "version '1.0' is not released"),
        ({"/repos/team/models": (200, {"permissions": {"push": False}}, {})}, "bad", "may only read"),
        ({"/repos/team/models": (200, REPOSITORY, {"X-OAuth-Scopes": "gist, read:org"})}, "bad", "may only read"),
        ({"/repos/team/models": (200, REPOSITORY | {"archived": True}, {})}, "bad", "is archived"),
        ({"/repos/team/models": (200, [], {})}, "bad", "something else"),
        ({"/repos/team/models": (301, {}, {"Location": "/repositories/1"})}, "bad", "has moved to /repositories/1"),
        ({"/repos/team/models": (401, {"message": VALUE}, {})}, "bad", f"the token in {VARIABLE} is not valid"),
        ({"/repos/team/models": (403, {"message": "no"}, {})}, "bad", "lacks the permission"),
        ({"/repos/team/models": (403, {}, {"X-RateLimit-Remaining": "0"})}, "unknown", "limited"),
        ({"/repos/team/models": (429, {}, {})}, "unknown", "limited"),
        ({"/repos/team/models": (503, {}, {})}, "unknown", "in trouble"),
        ({"/repos/team/models": (404, {}, {})}, "bad", "is not there"),
        ({"/repos/team/models/pulls/7": (404, {}, {})}, "bad", "pull request 7"),
        ({"/repos/team/models/git/ref/tags/v1.0": (200, {}, {})}, "bad", "there is a tag 'v1.0' already"),
    ],
)
def test_github(answers: dict[str, Reply], state: str, said: str) -> None:
    usual: dict[str, Reply] = {"/repos/team/models": (200, REPOSITORY, {}), "/repos/team/models/pulls/7": (200, {}, {})}
    with answering(serving(usual | answers)) as server:
        finding = probe(github={
            "repository": "team/models", "token": TOKEN, "url": server.url, "pull_requests": [7], "release": True,
        })  # fmt: skip
    assert finding.state == state
    assert said in finding.text


@pytest.mark.parametrize(
    ("repository", "answers", "state", "said"),
    [
        ("team/animals", {}, "good", "tag 'v1' is not taken"),
        ("team/new", {}, "good", "the token may make it"),
        ("others/new", {}, "bad", "may make nothing for 'others'"),
        ("guests/new", {}, "bad", "may make nothing for 'guests'"),
        ("team/animals", {"/api/models/team/animals/auth-check/write": (403, {"error": "no"}, {})}, "bad", "permission"),
        ("team/animals", {"/api/whoami-v2": (401, {}, {})}, "bad", "is not valid"),
        ("team/animals", {"/api/whoami-v2": (200, WHO | READER, {})}, "bad", "only read"),
        ("team/animals", {"/api/models/team/animals/refs": (200, TAGGED, {})}, "bad", "a tag 'v1' already"),
    ],
)  # fmt: skip
def test_huggingface(repository: str, answers: dict[str, Reply], state: str, said: str) -> None:
    usual: dict[str, Reply] = {
        "/api/whoami-v2": (200, WHO, {}), "/api/models/team/animals": (200, {}, {}),
        "/api/models/team/animals/auth-check/write": (200, {}, {}),
        "/api/models/team/animals/refs": (200, {"tags": [{"name": "v0"}]}, {}),
    }  # fmt: skip
    with answering(serving(usual | answers)) as server:
        finding = probe(huggingface={"repository": repository, "token": TOKEN, "url": server.url, "tag": "v1"})
    assert finding.state == state
    assert said in finding.text
