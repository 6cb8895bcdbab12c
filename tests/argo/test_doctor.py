"""`hubc doctor` on a cluster that is ready, on one where much is wrong, and on one where little may be seen."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import ready_cluster as ready

from hubc.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube import KubeApi

GOLDEN = Path(__file__).parent / "golden"
SPEC = "specs/pipelines/knowledge-and-skills.yaml"


@pytest.fixture
def doctor(api: KubeApi, repo: Path, monkeypatch: pytest.MonkeyPatch,
           capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:  # fmt: skip
    """Run the command, and return its exit code and what it printed; no value of a secret is in that."""
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(repo / "kubeconfig")))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    ready.write_platform(repo)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["doctor", *arguments, "--platform", "ready"])
        printed = capsys.readouterr()
        assert ready.VALUE not in printed.out + printed.err
        return code, re.sub(r"http://127\.0\.0\.1:\d+", "https://cluster.example.com", printed.out)

    return run


def test_all_is_well(api: KubeApi, doctor: Callable[..., tuple[int, str]], golden: Callable[[Path, str], None]) -> None:
    ready.prepare(api)
    code, text = doctor(SPEC)
    golden(GOLDEN / "doctor.ready.txt", text)
    assert code == 0


def test_much_is_wrong(api: KubeApi, doctor: Callable[..., tuple[int, str]], golden: Callable[[Path, str], None]) -> None:
    ready.prepare(api)
    break_everything(api)
    code, text = doctor(SPEC)
    golden(GOLDEN / "doctor.broken.txt", text)
    assert code == 1


def break_everything(api: KubeApi) -> None:
    api.patch("namespaces", "team", None, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "strict"}}})
    api.denied |= {("create", "workflowtemplates"), ("get", "pods/log")}
    executor = "system:serviceaccount:team:hubc-executor"
    api.denied_to[executor] = {("create", "trainjobs"), ("patch", "workflowtaskresults")}
    api.uninstall("workflowtaskresults", "trainjobs", "clustertrainingruntimes", "trainingruntimes")
    api.update("pods", "animals", "team", lambda old: old | {"spec": ready.pod_of_a_run("3.7.1")["spec"]})
    api.patch("localqueues", "training", "team", {"status": ready.queue("False", "clusterQueue is missing")["status"]})
    api.delete("priorityclasses", "batch")
    api.delete("serviceaccounts", "hubc-step", "team")
    api.delete("secrets", "hubc-executor.service-account-token", "team")
    api.delete("secrets", "judge", "team")
    api.update("secrets", "github", "team", lambda old: old | {"data": {"other": "eA=="}})
    api.update("secrets", "hooks", "team", lambda old: old | {"data": {"authorization": ""}})
    api.update("secrets", "registry", "team", lambda old: old | {"type": "Opaque"})
    api.update("configmaps", "artifact-repositories", "team", lambda old: old | {"data": {"default-v2": "x"}})
    api.update("configmaps", "trusted-ca", "team", lambda old: old | {"data": {"ca-bundle.crt": "no certificate"}})
    api.update("persistentvolumeclaims", "models", "team", lambda old: old | ready.claim("models", "Bound", "ReadWriteOnce"))
    api.delete("resourcequotas", "team", "team")
    api.create("resourcequotas", ready.quota("small", {"requests.nvidia.com/gpu": "4"}), "team")
    limits = [{"type": "Container", "max": {"memory": "256Gi"}}]
    api.create("limitranges", {"metadata": {"name": "sizes"}, "spec": {"limits": limits}}, "team")
    for name in ("gpu-1", "gpu-2"):
        api.patch("nodes", name, None, {"metadata": {"labels": {"accelerator": None}}})


def test_little_may_be_seen(
    api: KubeApi, doctor: Callable[..., tuple[int, str]], golden: Callable[[Path, str], None]
) -> None:
    ready.prepare(api)
    seen = ("namespaces", "serviceaccounts", "secrets", "configmaps", "persistentvolumeclaims", "localqueues",
            "clustertrainingruntimes", "priorityclasses")  # fmt: skip
    api.denied |= {("get", name) for name in seen}
    api.denied |= {("list", name) for name in ("resourcequotas", "limitranges", "nodes", "deployments", "pods")}
    api.denied |= {("create", "selfsubjectrulesreviews"), ("create", "localsubjectaccessreviews")}
    code, text = doctor()
    golden(GOLDEN / "doctor.forbidden.txt", text)
    assert code == 0


def test_for_programs(api: KubeApi, doctor: Callable[..., tuple[int, str]]) -> None:
    ready.prepare(api)
    api.delete("serviceaccounts", "hubc-step", "team")
    code, text = doctor("--format", "json")
    findings = {finding["subject"]: finding for finding in json.loads(text)["findings"]}
    assert code == 1
    assert findings["API server"]["state"] == "good"
    assert findings["service account 'hubc-step'"] == {
        "subject": "service account 'hubc-step'", "state": "bad", "text": "does not exist",
        "remedy": "apply argo/install/base, or name another account in the platform",
    }  # fmt: skip
    assert [item["state"] for item in findings.values()].count("bad") == 1


def test_nothing_is_changed(api: KubeApi, doctor: Callable[..., tuple[int, str]]) -> None:
    ready.prepare(api)
    doctor(SPEC)
    changes = [seen for seen in api.seen if seen.verb not in ("get", "list") and not seen.resource.endswith("reviews")]
    assert {seen.query.get("dryRun") for seen in changes} == {"All"}


def test_an_expired_login(api: KubeApi, repo: Path, monkeypatch: pytest.MonkeyPatch,
                          capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(repo / "kubeconfig", token="another")))
    ready.write_platform(repo)
    assert main(["doctor", "--platform", "ready"]) == 4
    printed = capsys.readouterr()
    assert "token has expired or is wrong; log in again" in printed.err
    assert "another" not in printed.err + printed.out
