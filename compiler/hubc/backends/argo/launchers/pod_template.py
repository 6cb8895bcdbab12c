"""The pods of a training, as all launchers share them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hubc.backends.argo.tags import Tag, Tagged

CONTAINER = "node"
PORT = "master"
JOB_LABEL = "hubc.dev/job"
"""Label of a training's pods with the name of its object: what network policies and clients select by."""

_RANK = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}


@dataclass(frozen=True)
class TrainingPod:
    """What every node of a training runs, before a launcher tells it about its peers."""

    spec: dict[str, Any]
    """Pod spec with one container, `node`; without `PET_*` variables, node rank and restart policy."""
    labels: dict[str, str | Tag | Tagged]
    nodes: int
    processes_per_node: int
    timeout_seconds: int
    """Limit of one attempt."""
    retries: int
    """Further attempts after a failure that may pass."""
    master_port: int
    bad_request_code: int = 2
    """Exit code after which another attempt would fail, too."""


def labels(pod: TrainingPod) -> dict[str, str | Tag | Tagged]:
    """Return the labels of the pods and objects of a training."""
    return {**pod.labels, JOB_LABEL: Tag.JOB}


def pod_template(
    pod: TrainingPod, env: list[dict[str, Any]], container: str = CONTAINER, port: str = PORT, **fields: Any
) -> dict[str, Any]:
    """Return the pod template of a training; `env` and `fields` are what a launcher adds to container and pod."""
    (given,) = pod.spec["containers"]
    ports = [*given.get("ports", ()), {"name": port, "containerPort": pod.master_port}]
    found = {**given, "name": container, "env": [*given.get("env", ()), *env], "ports": ports}
    # Attempts are counted for all nodes together: a process that starts anew alone would not find its peers.
    spec = {**pod.spec, "restartPolicy": "Never", "containers": [found], **fields}
    return {"metadata": {"labels": labels(pod)}, "spec": spec}


def indexed_job(pod: TrainingPod, master: Tagged, **fields: Any) -> dict[str, Any]:
    """Return the spec of an indexed Job whose pods are the nodes, the first of them reached at `master`."""
    return {
        "completionMode": "Indexed",
        "completions": pod.nodes,
        "parallelism": pod.nodes,
        # Any lost pod ends the Job, a disrupted one as well: torchrun's static rendezvous needs all nodes to start anew.
        "backoffLimit": 0,
        "podFailurePolicy": {"rules": [_final(pod)]},
        # Does not count the time that the Job is suspended in a queue.
        "activeDeadlineSeconds": pod.timeout_seconds,
        "template": pod_template(pod, _peers(pod, master), **fields),
    }


def _final(pod: TrainingPod) -> dict[str, Any]:
    """Return the rule that tells a bad request, which stays bad, from exit code 1, which may only mean a lost peer."""
    codes = {"containerName": CONTAINER, "operator": "In", "values": [pod.bad_request_code]}
    return {"action": "FailJob", "onExitCodes": codes}


def _peers(pod: TrainingPod, master: Tagged) -> list[dict[str, Any]]:
    """Return the variables that tell torchrun about the nodes."""
    return [
        {"name": "PET_NNODES", "value": str(pod.nodes)},
        {"name": "PET_NPROC_PER_NODE", "value": str(pod.processes_per_node)},
        {"name": "PET_NODE_RANK", **_RANK},
        {"name": "PET_MASTER_ADDR", "value": master},
        {"name": "PET_MASTER_PORT", "value": str(pod.master_port)},
    ]
