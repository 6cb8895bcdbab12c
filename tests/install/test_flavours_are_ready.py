"""What `hubc doctor` says of a cluster on which a flavour is installed, after docs/cluster.md."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kube import RESOURCES, KubeApi
from kubectl import kustomize

from hubc.cli import main
from hubc.doctor import examine
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.spec.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
PLATFORMS = {
    "kind": "kind",
    "single-node": "single-node-4xh100",
    "kubernetes": "kubernetes-gpu",
    "openshift": "openshift-ai",
}
KINDS = {resource.kind: resource for resource in RESOURCES.values()}
IMAGE = "quay.io/argoproj/workflow-controller:v4.1.2"


@pytest.fixture
def api() -> Iterator[KubeApi]:
    api = KubeApi("argo", "hubc")
    yield api
    api.close()


def install(api: KubeApi, flavour: str, platform: Platform) -> None:
    """Apply a flavour, and do what the guide and a cluster's own controllers do."""
    for item in kustomize(ROOT / "argo/install" / flavour):
        metadata, resource = item["metadata"], KINDS.get(item["kind"])
        if item["kind"] == "Namespace":
            api.patch("namespaces", "hubc", None, {"metadata": metadata})
        elif resource is not None:
            api.create(resource.plural, item | _status(item), metadata.get("namespace"))
    controller = {"template": {"spec": {"containers": [{"name": "controller", "image": IMAGE}]}}}
    deployment = {"metadata": {"name": "workflow-controller"}, "spec": controller, "status": {"availableReplicas": 1}}
    api.create("deployments", deployment, "argo")
    token = {"data": {"token": base64.b64encode(b"t").decode()}}
    api.patch("secrets", "hubc-executor.service-account-token", "hubc", token)
    _made_by_hand(api, platform)


def _status(item: dict[str, Any]) -> dict[str, Any]:
    match item["kind"]:
        case "PersistentVolumeClaim":
            return {"status": {"phase": "Bound", "capacity": {"storage": "500Gi"}}}
        case "LocalQueue":
            return {"status": {"conditions": [{"type": "Active", "status": "True"}]}}
    return {}


def _made_by_hand(api: KubeApi, platform: Platform) -> None:
    """Make what no flavour holds, and what the guide therefore says how to make."""
    argo = platform.spec.argo
    assert argo is not None
    if keys := argo.storage.credentials:
        assert f"kubectl create secret generic {keys.secret} " in GUIDE
        values = dict.fromkeys((keys.id_key, keys.value_key), base64.b64encode(b"x").decode())
        api.create("secrets", {"metadata": {"name": keys.secret}, "data": values}, "hubc")
    if authorities := argo.certificate_authorities:
        data = {authorities.key: _certificate()}
        api.create("configmaps", {"metadata": {"name": authorities.config_map}, "data": data}, "hubc")
    if argo.github:
        token = argo.github.token
        assert f"kubectl create secret generic {token.secret} " in GUIDE
        api.create("secrets", {"metadata": {"name": token.secret}, "data": {token.key: "eA=="}}, "hubc")
    for name in argo.image_pull_secrets:
        assert f"kubectl create secret generic {name} " in GUIDE
        data = {".dockerconfigjson": base64.b64encode(b'{"auths": {"registry.example.com": {}}}').decode()}
        api.create("secrets", {"metadata": {"name": name}, "type": "kubernetes.io/dockerconfigjson", "data": data}, "hubc")
    for kind in platform.spec.accelerators.values():
        if kind.resource:
            api.create("nodes", {"metadata": {"name": "gpu-1", "labels": kind.node_selector},
                                 "status": {"allocatable": {kind.resource: "8"}}})  # fmt: skip


def _certificate() -> str:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=test"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("flavour", PLATFORMS)
def test_nothing_is_bad_on_a_cluster_with_a_flavour(api: KubeApi, flavour: str, tmp_path: Path) -> None:
    platform = load_platform(str(ROOT / f"specs/platforms/{PLATFORMS[flavour]}.yaml"), ROOT)
    assert platform.spec.argo is not None
    install(api, flavour, platform)
    context = platform.spec.argo.context or "stand-in"
    findings = list(examine(platform, None, probe=False, kubeconfig=api.kubeconfig(tmp_path / "config", context=context)))
    assert [finding for finding in findings if finding.state == "bad"] == []
    assert {finding.subject for finding in findings if finding.state == "good"} >= {"API server", "namespace 'hubc'"}
    # The images of the shipped platforms are examples, and what is reached from here differs from place to place.
    unsure = [finding for finding in findings if finding.state == "unknown"]
    assert [finding for finding in unsure if not finding.subject.startswith(("image ", "storage "))] == []


def test_the_guide_shows_what_doctor_says(
    api: KubeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = load_platform(str(ROOT / "specs/platforms/kind.yaml"), ROOT)
    install(api, "kind", platform)
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path / "config", context="kind-hubc")))
    monkeypatch.chdir(ROOT)
    assert main(["doctor", "--platform", "kind"]) == 0
    said = capsys.readouterr().out.replace(api.url, "https://127.0.0.1:6443").splitlines()
    shown = re.search(r"\$ hubc doctor --platform kind\n(good .*?)\n```", GUIDE, re.DOTALL)
    assert shown
    lines = [line for line in shown[1].splitlines() if line != "…"]
    assert [line for line in lines if line not in said] == []
