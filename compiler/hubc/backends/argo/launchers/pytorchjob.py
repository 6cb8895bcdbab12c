"""A training as a PyTorchJob of Kubeflow's training operator (1.7 or newer): one Master, and a Worker for each further node.

The operator makes the services and sets all `PET_*` variables itself: the addresses because there is a Master, the number
of processes from `nprocPerNode`, the nodes and ranks from the replicas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers.kinds import PYTORCH_JOB
from hubc.backends.argo.launchers.pod_template import pod_template
from hubc.backends.argo.launchers.restarts import again, restarting
from hubc.backends.argo.launchers.templates import apply, manifest, wait

if TYPE_CHECKING:
    from hubc.backends.argo.launchers.pod_template import TrainingPod
    from hubc.spec.cluster import Argo

WORKER = "Worker"
CONTAINER = "pytorch"
PORT = "pytorchjob-port"
"""The operator looks for a container and a port of these names."""
LOST = "{.status.replicaStatuses.*.failed}"
"""Finds a PyTorchJob that failed because a pod did; at the deadline none has. A bad request cannot be told apart."""


def launch(name: str, pod: TrainingPod, argo: Argo, retry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates that run a training as a PyTorchJob."""
    return [
        restarting(name, pod, []),
        apply(f"{name}-apply", manifest(PYTORCH_JOB, argo, pod, _spec(pod)), retry),
        wait(f"{name}-wait", PYTORCH_JOB, argo, retry),
        *again(name, pod, PYTORCH_JOB, LOST, argo, retry),
    ]


def _spec(pod: TrainingPod) -> dict[str, Any]:
    return {
        "nprocPerNode": str(pod.processes_per_node),
        "runPolicy": {
            # The job has succeeded when the Master has; a Worker that hangs would keep its accelerators.
            "cleanPodPolicy": "Running",
            "activeDeadlineSeconds": pod.timeout_seconds,
            # No backoffLimit: pods never restart, and with one the operator fails the job before it counts the failed pods.
        },
        "pytorchReplicaSpecs": {"Master": _replicas(pod, 1), WORKER: _replicas(pod, pod.nodes - 1)},
    }


def _replicas(pod: TrainingPod, count: int) -> dict[str, Any]:
    template = pod_template(pod, [], CONTAINER, PORT)
    return {"replicas": count, "restartPolicy": template["spec"].pop("restartPolicy"), "template": template}
