"""What a run's Workflow, pods, events and queue come to: states, reasons on one line, progress."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from cluster_run import DIGEST, RUN, container, node, own_pod, start, training, training_pod

from hubc.errors import HubcError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube import KubeApi

    from hubc.backends.argo.backend import ArgoBackend


def states(backend: ArgoBackend) -> dict[str, str]:
    return {step.id: step.state for step in backend.get(RUN).steps}


def test_a_run_and_its_steps(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("prepare", "Succeeded"), node("generate", "Skipped", "Skipped"), *training("Running"))
    for rank in (1, 0):
        training_pod(api, rank)
    own_pod(api, "train[1].wait(0)")
    run = backend.get(RUN)
    assert (run.pipeline, run.spec, run.plan_digest, run.state) == ("animals", "specs/animals.yaml", DIGEST, "running")
    assert run.url == f"https://argo.example.com/workflows/team/{RUN}"
    assert (run.platform, run.created_at, run.finished_at, run.reason) == ("example-cluster", 1767225600.0, None, "")
    assert states(backend) == {"generate": "reused", "train": "running", "evaluate": "pending"}
    assert [(pod.node, pod.phase, pod.restarts) for pod in run.step("train").pods] == [(0, "Running", 0), (1, "Running", 0)]
    assert (run.step("generate").attempts, run.step("train").attempts) == (0, 1)
    assert backend.list() == [run.model_copy(update={"steps": backend.list()[0].steps})]


def test_progress_is_the_newest_of_the_first_node(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", *training("Running"))
    for rank in range(2):
        name = training_pod(api, rank)
        for done in (1, 2):
            event = {"hubc": "progress", "done": done + rank, "total": 9, "unit": "steps", "metrics": {"loss": 0.5}}
            api.append_log(name, "team", f"{json.dumps(event)}\nsomething else", "node")
    assert backend.get(RUN).step("train").progress == "2/9 steps, loss 0.5"


def test_attempts_and_the_reason_of_the_last(api: KubeApi, backend: ArgoBackend) -> None:
    tries = [node(f"generate({n})", "Failed", message=f"Error (exit code 1): try {n}", startedAt=f"2026-01-01T00:00:1{n}Z",
                  outputs={"exitCode": "1"}) for n in range(3)]  # fmt: skip
    top = node("generate", "Failed", "Retry", message="No more retries left")
    start(api, "Failed", node("prepare", "Succeeded"), top, *tries, node("train", "Omitted", "Skipped"))
    run = backend.get(RUN)
    step = run.step("generate")
    assert (step.state, step.attempts, step.exit_code, step.reason) == ("failed", 3, 1, "try 2")
    assert (run.state, run.reason) == ("failed", "step 'generate' failed: try 2")
    assert (run.step("train").state, run.step("train").reason) == ("cancelled", "not started")
    assert run.step("evaluate").state == "cancelled"
    assert run.finished_at == 1767225670.0


def test_a_training_fails_for_what_its_node_said(api: KubeApi, backend: ArgoBackend) -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": "the data has no rows\n"}
    start(api, "Failed", *training("Failed", message="failure condition 'x' evaluated true"))
    training_pod(api, 0, "Failed", containerStatuses=[container("node", terminated={"exitCode": 143, "message": "stopped"})])
    training_pod(api, 1, "Failed", containerStatuses=[container("node", terminated=ended)])
    assert backend.get(RUN).step("train").reason == "the data has no rows"
    assert backend.get(RUN).step("train").exit_code is None


def test_a_cancelled_run(api: KubeApi, backend: ArgoBackend) -> None:
    cut = node("generate", "Failed", message="workflow shutdown with strategy:  Stop")
    start(api, "Failed", cut, *training("Failed", message="Error (exit code 1): jobsets not found"))
    api.patch("workflows", RUN, "team", {"spec": {"shutdown": "Stop"}})
    run = backend.get(RUN)
    assert (run.state, run.reason) == ("cancelled", "cancelled")
    assert states(backend) == {"generate": "cancelled", "train": "cancelled", "evaluate": "cancelled"}
    api.patch("workflows", RUN, "team", {"status": {"nodes": {f"{RUN}.generate": {"message": "Error (exit code 2): bad"}}}})
    assert states(backend)["generate"] == "failed", "it failed before"


def test_a_preparation_that_fails_or_waits_is_the_runs_reason(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("prepare", "Pending"))
    own_pod(
        api, "prepare", "Pending", containerStatuses=[container(waiting={"reason": "ErrImagePull", "message": "no such"})]
    )
    assert backend.get(RUN).reason == "prepare: ErrImagePull: no such"
    api.patch("workflows", RUN, "team", {"status": {"phase": "Failed", "nodes": {f"{RUN}.prepare": {"phase": "Error"}}}})
    assert backend.get(RUN).reason == "prepare: ErrImagePull: no such"


WAITS: dict[str, tuple[dict[str, Any], str]] = {
    "unschedulable": (
        {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message":
                         "0/5 nodes are available: 5 Insufficient nvidia.com/gpu. preemption: 0/5 nodes are ..."}]},
        "Unschedulable: 0/5 nodes are available: 5 Insufficient nvidia.com/gpu.",
    ),
    "image": (
        {"containerStatuses": [container(waiting={"reason": "ImagePullBackOff", "message": "Back-off pulling\n x"})]},
        "ImagePullBackOff: Back-off pulling x",
    ),
    "secret": (
        {"containerStatuses": [container(waiting={"reason": "CreateContainerConfigError", "message": 'no secret "t"'})]},
        'CreateContainerConfigError: no secret "t"',
    ),
    "first container": (
        {"initContainerStatuses": [container("init", waiting={"reason": "InvalidImageName", "message": "x"})]},
        "InvalidImageName: x",
    ),
    "volume": ({"containerStatuses": [container(waiting={"reason": "ContainerCreating"})]}, "FailedMount: claim not found"),
}  # fmt: skip


@pytest.mark.parametrize("case", WAITS)
def test_why_a_pod_waits(api: KubeApi, backend: ArgoBackend, case: str) -> None:
    status, expected = WAITS[case]
    start(api, "Running", node("generate", "Pending"))
    name = own_pod(api, "generate", "Pending", **status)
    api.event("team", "Pod", name, "FailedMount", "claim not found")
    step = backend.get(RUN).step("generate")
    assert (step.state, step.reason, step.pods[0].reason) == ("waiting", expected, expected)


ENDS: dict[str, tuple[dict[str, Any], str]] = {
    "evicted": ({"reason": "Evicted", "message": "The node was low on resource: memory."},
                "Evicted: The node was low on resource: memory."),
    "memory": ({"containerStatuses": [container(terminated={"reason": "OOMKilled", "exitCode": 137})]},
               "OOMKilled: it needed more memory than its limit"),
}  # fmt: skip


@pytest.mark.parametrize("case", ENDS)
def test_why_a_pod_failed(api: KubeApi, backend: ArgoBackend, case: str) -> None:
    status, expected = ENDS[case]
    start(api, "Failed", node("generate", "Failed"))
    own_pod(api, "generate", "Failed", **status)
    step = backend.get(RUN).step("generate")
    assert (step.state, step.reason, step.pods[0].reason) == ("failed", expected, expected)


def test_restarts_are_counted_and_explained(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", node("generate", "Running"))
    last = {"reason": "OOMKilled", "exitCode": 137}
    own_pod(api, "generate", containerStatuses=[container(restarts=2, running={}, last=last)])
    (pod,) = backend.get(RUN).step("generate").pods
    assert (pod.restarts, pod.reason) == (2, "restarted after: OOMKilled: it needed more memory than its limit")


def test_quota_keeps_pods_from_existing(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Running", *training("Running"))
    own_pod(api, "train[1].wait(0)")
    api.event("team", "Job", "animals-train-node-0", "FailedCreate", "exceeded quota: gpus")
    step = backend.get(RUN).step("train")
    assert (step.state, step.reason) == ("waiting", "FailedCreate: exceeded quota: gpus")


def test_the_queue_says_what_it_waits_for(api: KubeApi, connect: Callable[..., ArgoBackend]) -> None:
    backend = connect(queue="research")
    start(api, "Running", *training("Running"))
    owner = [{"name": "animals-train", "uid": "u", "kind": "JobSet", "apiVersion": "jobset.x-k8s.io/v1alpha2"}]
    condition = {"type": "QuotaReserved", "status": "False", "message": "insufficient unused quota for nvidia.com/gpu"}
    workload = {"metadata": {"name": "w", "ownerReferences": owner}, "spec": {"queueName": "research"},
                "status": {"conditions": [condition]}}  # fmt: skip
    api.create("workloads", workload, "team")
    step = backend.get(RUN).step("train")
    expected = "waits in queue 'research': insufficient unused quota for nvidia.com/gpu"
    assert (step.state, step.reason) == ("waiting", expected)
    api.patch("workloads", "w", "team", {"status": {"conditions": [{"type": "Admitted", "status": "True"}]}})
    assert backend.get(RUN).step("train").state == "running"
    api.uninstall("workloads", "localqueues", "clusterqueues")
    assert "Kueue is not installed" in backend.get(RUN).step("train").reason


def test_waiting_for_another_run(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Pending", message="Waiting for team/Mutex/hubc-animals lock. Lock status: 0/1")
    run = backend.get(RUN)
    assert (run.state, run.reason) == ("pending", "Waiting for team/Mutex/hubc-animals lock. Lock status: 0/1")
    lock = {"synchronizationStatus": {"waiting": "team/Mutex/gpu"}}
    api.patch("workflows", RUN, "team", {"status": {"nodes": {"n": node("generate", "Pending", **lock)}}})
    assert backend.get(RUN).step("generate").reason == "waits for another run: team/Mutex/gpu"


def test_a_workflow_that_nobody_has_taken_up(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    api.patch("workflows", RUN, "team", {"status": None})
    assert (backend.get(RUN).state, backend.get(RUN).reason) == ("pending", "waits for Argo's controller")


def test_compressed_nodes(api: KubeApi, backend: ArgoBackend) -> None:
    nodes = {"n": node("generate", "Succeeded")}
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    start(api)
    api.patch("workflows", RUN, "team", {"status": {"nodes": None, "compressedNodes": packed}})
    assert states(backend)["generate"] == "succeeded"
    api.patch("workflows", RUN, "team", {"status": {"compressedNodes": "bm90IGd6aXA="}})
    with pytest.raises(HubcError, match=f"argo get {RUN}"):
        backend.get(RUN)


def test_offloaded_nodes_are_told_by_pods(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    api.patch("workflows", RUN, "team", {"status": {"nodes": None, "offloadNodeStatusVersion": "fnv:1"}})
    own_pod(api, "variants-1.generate(0)", "Failed")
    own_pod(api, "variants-1.generate(1)")
    assert states(backend) == {"generate": "running", "train": "pending", "evaluate": "pending"}
    assert "database" in backend.get(RUN).reason


def test_hostile_text_stays_on_one_line(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Failed", node("generate", "Failed", message="a\n\x1b[31mb" + "c" * 5000))
    reason = backend.get(RUN).step("generate").reason
    assert "\n" not in reason and "\x1b" not in reason and len(reason) <= 200


def test_no_such_run(backend: ArgoBackend) -> None:
    for id in ("nothing", "../pods", "a/b", ""):
        with pytest.raises(UsageError, match="no run"):
            backend.get(id)


def test_many_runs_come_in_pages(api: KubeApi, backend: ArgoBackend) -> None:
    labels = {"app.kubernetes.io/managed-by": "hubc"}
    for number in range(120):
        created = f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z"
        metadata = {"name": f"run-{number % 7}-{number}", "labels": labels, "creationTimestamp": created}
        api.create("workflows", {"metadata": metadata, "spec": {}}, "team")
    api.create("workflows", {"metadata": {"name": "of-others"}, "spec": {}}, "team")
    runs = backend.list()
    assert len(runs) == 120 and runs[0].id == "run-0-119"
    assert len(api.asked("list", "workflows")) == 3
