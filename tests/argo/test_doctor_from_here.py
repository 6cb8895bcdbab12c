"""What `hubc doctor` can say of a cluster's services on the machine that it is called on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import ready_cluster as ready

from hub_steps.parameters import SecretReference
from hubc.doctor.examination import from_here
from hubc.doctor.lines import findings_in
from hubc.doctor.requests import is_inside, references
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.spec.cluster import Argo

TEACHER = {"role": "teacher", "step": "generate", "model": "m"}
TOKEN = {"secret": "github", "key": "token"}


def argo(repo: Path, **storage: Any) -> Argo:
    found = load_platform(ready.write_platform(repo, storage=storage), repo).spec.argo
    assert found is not None
    return found


def document(**parts: Any) -> dict[str, Any]:
    return {"version": "hubc.probe/v1", "storage": [], "endpoints": [], "targets": [], **parts}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"storage": ["file:///storage/outputs"]}, "storage file:///storage/outputs: only pods reach the volume"),
        ({"storage": ["s3://hubc/outputs"]}, "storage s3://hubc/outputs: its credentials are not here"),
        ({"endpoints": [{**TEACHER, "url": "http://teacher.team.svc:8000/v1"}]}, "only the cluster reaches http://teacher"),
        ({"endpoints": [{**TEACHER, "url": "https://teacher.example.com/v1", "api_key": TOKEN}]},
         "teacher of step 'generate': its credentials are not here"),
        ({"targets": [{"step": "publish", "github": {"repository": "a/b", "token": TOKEN}}]},
         "target of step 'publish': its credentials are not here"),
    ],
)  # fmt: skip
def test_what_this_machine_cannot_try(repo: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any], said: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "HUBC_SECRET_GITHUB__TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (finding,) = from_here(document(**part), argo(repo, location="s3://hubc/team"))
    assert finding.state == "unknown"
    assert said in f"{finding.subject}: {finding.text}"
    assert finding.remedy.endswith("--probe finds out")


@pytest.mark.parametrize(
    ("url", "inside"),
    [("http://store.team.svc:8333", True), ("http://store", True), ("https://x.svc.cluster.local", True),
     ("http://localhost:8000", False), ("https://s3.example.com", False), ("http://10.0.0.1", False),
     ("http://[::1]/", False)],
)  # fmt: skip
def test_addresses_that_only_a_cluster_knows(url: str, inside: bool) -> None:
    assert is_inside(url) is inside


def test_every_secret_of_a_request_is_found_once() -> None:
    whole = document(endpoints=[{**TEACHER, "api_key": TOKEN}], targets=[{"step": "p", "github": {"token": dict(TOKEN)}}])
    assert references(whole) == [SecretReference(secret="github", key="token")]


def test_a_log_is_read_with_care() -> None:
    lines = ["[1, 2]", "{}", "no JSON", '{"state": "great"}', '{"state": "bad", "subject": "x", "text": "\\u001b[0m"}']
    (finding,) = findings_in("\n".join(lines))
    assert (finding.subject, finding.text, finding.remedy) == ("x", "\\x1b[0m", "")
