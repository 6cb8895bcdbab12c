"""`hubc doctor --probe`: one short pod, what it and its containers tell, and that nothing of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import kube_schema
import pytest
import ready_cluster as ready
from cluster_run import container
from kube import ApiError

from hubc.backends.argo.cluster import Cluster
from hubc.backends.argo.doctor import Case, probe_on_cluster
from hubc.backends.argo.doctor.probe_pod import images, probe_pod
from hubc.backends.argo.patience import Patience
from hubc.backends.argo.verify.pods import object_pods
from hubc.backends.argo.verify.security import pod_faults
from hubc.doctor import examine
from hubc.errors import UnreachableError
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from argo_controller import Controller
    from kube import KubeApi

    from hubc.doctor import Finding
    from hubc.spec.platform import Platform

SMALL: dict[str, Any] = {"storage": {"claim": "models"}, "certificate_authorities": None}
DOCUMENT: dict[str, Any] = {"version": "hubc.probe/v1", "storage": ["file:///storage/outputs"], "targets": [], "endpoints": [
    {"role": "teacher", "step": "generate", "url": "http://teacher/v1", "api_key": {"secret": "teacher", "key": "token"}},
]}  # fmt: skip
PROBE = """
import json, os, sys
request = json.load(open(sys.argv[sys.argv.index("--request") + 1]))
secret = "HUBC_SECRET_TEACHER__TOKEN" in os.environ
print("a line of another kind")
print(json.dumps({"subject": "request", "state": "good", "text": request["version"]}))
print(json.dumps({"subject": "teacher", "state": "good" if secret else "bad", "text": "", "remedy": "\\x1b[31m"}))
"""


@pytest.fixture
def ready_platform(repo: Path) -> Callable[..., Platform]:
    """Return the platform that uses everything, with other settings."""

    def made(**argo: Any) -> Platform:
        return load_platform(ready.write_platform(repo, **argo), repo)

    return made


@pytest.fixture
def case(api: KubeApi, ready_platform: Callable[..., Platform], repo: Path) -> Callable[..., Case]:
    """Return a case in which the pod has some seconds."""

    def made(schedule: float = 20.0, probe: float = 20.0, **argo: Any) -> Case:
        patience = Patience(pauses=(0.01, 0.01), stream=1.0, poll=0.01, schedule=schedule, probe=probe)
        platform = ready_platform(**{**SMALL, **argo})
        assert platform.spec.argo is not None
        cluster = Cluster(platform.spec.argo, patience, api.kubeconfig(repo / "kubeconfig"))
        return Case(cluster, platform, platform.spec.argo, None)

    return made


@pytest.fixture
def node(api: KubeApi, controller: Controller, tmp_path: Path) -> Iterator[Controller]:
    """Run the pods of probes, with a program that stands for the probe."""
    program = tmp_path / "probe.py"
    program.write_text(PROBE, encoding="utf-8")
    controller.kubelet.programs = {"python": [sys.executable, str(program)]}
    started: set[str] = set()

    def start() -> None:
        for pod in api.list("pods", "team"):
            if "hubc.dev/doctor" in pod["metadata"].get("labels", {}) and pod["metadata"]["uid"] not in started:
                started.add(pod["metadata"]["uid"])
                controller.kubelet.start(pod)

    end = api.subscribe(start)
    yield controller
    end()


def probes(api: KubeApi) -> list[dict[str, Any]]:
    return [pod for pod in api.list("pods") if "hubc.dev/doctor" in pod["metadata"].get("labels", {})]


def becomes(api: KubeApi, **change: Any) -> threading.Thread:
    """Change the pod of the probe as soon as it is there."""

    def wait() -> None:
        api.wait_until(lambda: bool(probes(api)))
        api.patch("pods", probes(api)[0]["metadata"]["name"], "team", change)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def of(findings: list[Finding], subject: str) -> tuple[str, str]:
    found = next(finding for finding in findings if finding.subject.startswith(subject))
    return found.state, found.text


@pytest.mark.usefixtures("node")
def test_what_the_pod_finds(api: KubeApi, case: Callable[..., Case]) -> None:
    ready.prepare(api)
    findings = list(probe_on_cluster(case(), DOCUMENT))
    assert [finding.state for finding in findings] == ["good"] * 7
    assert [finding.text for finding in findings[:4]] == ["node 'node-1' has pulled it"] * 4
    assert (findings[4].text, findings[5].remedy) == ("hubc.probe/v1", "\\x1b[31m")
    assert findings[6].text == "ran on node 'node-1'"
    assert probes(api) == []


@pytest.mark.usefixtures("node")
def test_a_missing_secret_does_not_hold_up_the_rest(api: KubeApi, case: Callable[..., Case]) -> None:
    ready.prepare(api)
    api.delete("secrets", "team-teacher", "team")
    assert of(list(probe_on_cluster(case(), DOCUMENT)), "teacher") == ("bad", "")


def test_a_program_that_breaks(api: KubeApi, node: Controller, case: Callable[..., Case]) -> None:
    ready.prepare(api)
    node.kubelet.programs = {"python": [sys.executable, "-c", "raise SystemExit('No module named hub_steps.probe')"]}
    findings = list(probe_on_cluster(case(), DOCUMENT))
    assert of(findings, "probe pod") == ("bad", "ended with exit code 1: No module named hub_steps.probe")
    assert probes(api) == []


def test_images_that_cannot_be_pulled(api: KubeApi, case: Callable[..., Case]) -> None:
    ended = {"exitCode": 0}
    statuses = [
        container("generate", waiting={"reason": "ImagePullBackOff", "message": 'pull "x": 401 Unauthorized'}),
        container("train", terminated=ended),
        container("evaluate", waiting={"reason": "RunContainerError", "message": "no such program"}),
        container("probe", terminated=ended),
    ]
    thread = becomes(api, spec={"nodeName": "n1"}, status={"phase": "Pending", "containerStatuses": statuses})
    findings = list(probe_on_cluster(case(), DOCUMENT))
    thread.join()
    assert [(finding.state, finding.text) for finding in findings[:4]] == [
        ("bad", 'ImagePullBackOff: pull "x": 401 Unauthorized'),
        *[("good", "node 'n1' has pulled it")] * 3,
    ]
    # It has reached a node of which nobody tells that it is gone.
    assert all("deletionTimestamp" in pod["metadata"] for pod in probes(api))


def test_no_node_has_room(api: KubeApi, node: Controller, case: Callable[..., Case]) -> None:
    ready.prepare(api)
    node.kubelet.unschedulable = "0/3 nodes are available: 3 Insufficient cpu."
    findings = list(probe_on_cluster(case(schedule=0.3), DOCUMENT))
    why = "did not end in time: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu."
    assert of(findings, "probe pod") == ("bad", why)
    assert [finding.state for finding in findings] == ["unknown"] * 4 + ["bad"]
    assert probes(api) == []


def test_a_volume_that_is_not_mounted(api: KubeApi, case: Callable[..., Case]) -> None:
    thread = becomes(api, spec={"nodeName": "n1"}, status={"phase": "Pending"})
    findings = []
    for finding in probe_on_cluster(case(probe=1.0), DOCUMENT):
        findings.append(finding)
        if len(findings) == 1:
            api.event("team", "Pod", probes(api)[0]["metadata"]["name"], "FailedMount", 'configmap "trusted-ca" not found')
    thread.join()
    assert of(findings, "probe pod") == ("bad", 'did not end in time: FailedMount: configmap "trusted-ca" not found')


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("pods is forbidden: exceeded quota: small, requested: pods=1", "mend what it says"),
        ("pods is forbidden: violates PodSecurity restricted", "mend what it says"),
        ('pods is forbidden: User "jane" cannot create resource "pods"', "hubc-probe"),
    ],
)
def test_a_pod_that_is_refused(api: KubeApi, case: Callable[..., Case], said: str, remedy: str) -> None:
    def refuse(verb: str, resource: Any, _new: Any) -> None:
        if (verb, resource.plural) == ("create", "pods"):
            raise ApiError(403, said)

    api.store.admission.append(refuse)
    (finding,) = probe_on_cluster(case(), DOCUMENT)
    assert finding.state == "bad"
    assert said in finding.text
    assert remedy in finding.remedy
    assert api.asked("delete", "pods") == []


def test_a_pod_that_somebody_deletes(api: KubeApi, case: Callable[..., Case]) -> None:
    def delete() -> None:
        api.wait_until(lambda: bool(probes(api)))
        api.delete("pods", probes(api)[0]["metadata"]["name"], "team")

    thread = threading.Thread(target=delete)
    thread.start()
    (finding,) = probe_on_cluster(case(), DOCUMENT)
    thread.join()
    assert (finding.state, finding.text) == ("bad", "somebody deleted it while it ran")


@pytest.mark.parametrize("lost", ["the answer", "the way"])
def test_a_cluster_that_goes_away_leaves_no_pod(api: KubeApi, case: Callable[..., Case], lost: str) -> None:
    if lost == "the answer":
        api.fault("create", "pods", status=500, after_done=True)
        api.fault("create", "pods", status=500, times=2)
    else:
        api.fault("list", "pods", status=500, times=3)
    with pytest.raises(UnreachableError):
        list(probe_on_cluster(case(), DOCUMENT))
    assert len(api.asked("create", "pods")) == (3 if lost == "the answer" else 1)
    assert probes(api) == []


def test_whoever_stops_listening_leaves_no_pod(api: KubeApi, case: Callable[..., Case]) -> None:
    findings = probe_on_cluster(case(schedule=0.1), DOCUMENT)
    next(findings)
    assert len(probes(api)) == 1
    findings.close()
    assert probes(api) == []


def test_an_interrupt_leaves_no_pod(api: KubeApi, repo: Path) -> None:
    ready.prepare(api)
    ready.write_platform(repo)
    environment = {**os.environ, "KUBECONFIG": str(api.kubeconfig(repo / "kubeconfig"))}
    command = [sys.executable, "-m", "hubc", "doctor", "--platform", "ready", "--probe"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        api.wait_until(lambda: bool(api.asked("list", "pods")) and bool(probes(api)))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "hubc: interrupted; nothing of it is left on the cluster\n")
    assert "accelerator 'h100'" in out
    assert probes(api) == []


def test_the_pod_is_as_clusters_want_it(ready_platform: Callable[..., Platform]) -> None:
    argo = ready_platform().spec.argo
    assert argo is not None
    pod = probe_pod(argo, DOCUMENT, 900)
    assert kube_schema.faults(pod) == []
    (found,) = object_pods({"kind": "Job", "spec": {"template": pod}})
    assert list(pod_faults(found)) == []
    assert pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["spec"]["priorityClassName"] == "batch"
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert [item["image"] for item in pod["spec"]["containers"]] == list(images(argo).values())
    assert json.loads(pod["metadata"]["annotations"]["hubc.dev/probe"]) == DOCUMENT
    assert "{{" not in json.dumps(pod)


def test_one_image_for_all_is_pulled_once(ready_platform: Callable[..., Platform]) -> None:
    image = f"registry.example.com/hubc/all@sha256:{'5' * 64}"
    argo = ready_platform(images=dict.fromkeys(("generate", "train", "evaluate", "publish"), image)).spec.argo
    assert argo is not None
    assert images(argo) == {"probe": image}


def test_too_much_to_probe(api: KubeApi, case: Callable[..., Case]) -> None:
    much = {**DOCUMENT, "endpoints": DOCUMENT["endpoints"] * 3000}
    (finding,) = probe_on_cluster(case(), much)
    assert finding.state == "unknown"
    assert api.asked("create", "pods") == []


@pytest.mark.usefixtures("node")
def test_all_of_it(api: KubeApi, ready_platform: Callable[..., Platform], repo: Path) -> None:
    ready.prepare(api)
    platform = ready_platform(**SMALL)
    kubeconfig = api.kubeconfig(repo / "kubeconfig")
    findings = list(examine(platform, None, probe=True, kubeconfig=kubeconfig))
    assert of(findings, "probe pod") == ("good", "ran on node 'node-1'")
    assert len({finding.subject for finding in findings}) == len(findings)
