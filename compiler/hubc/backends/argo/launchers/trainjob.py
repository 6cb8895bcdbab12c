"""A training as a TrainJob of Kubeflow Trainer (2.3), which makes a JobSet of the same name from a runtime.

The runtime belongs to the cluster and decides what a TrainJob cannot: the restarts and the failure policy of the JobSet,
the pods' restart policy, priority class and whether they get a token. Trainer sets all `PET_*` variables itself, and
refuses them in a TrainJob.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers.kinds import JOB_SET, TRAIN_JOB
from hubc.backends.argo.launchers.pod_template import CONTAINER, labels
from hubc.backends.argo.launchers.templates import apply, apply_and_wait, manifest, steps, wait
from hubc.backends.argo.names import REPLICATED_JOB
from hubc.errors import HubcError

if TYPE_CHECKING:
    from hubc.backends.argo.launchers.pod_template import TrainingPod
    from hubc.spec.cluster import Argo

MANAGER = "hubc.dev/hubc"
MASTER_PORT = 29500
"""The port that Trainer tells torchrun; it cannot be chosen."""
_PATCHED = {
    "affinity", "imagePullSecrets", "nodeSelector", "securityContext", "serviceAccountName",
    "terminationGracePeriodSeconds", "tolerations", "volumes",
}  # fmt: skip
_RUNTIMES = {"automountServiceAccountToken", "enableServiceLinks", "priorityClassName"}
_CONTAINERS_RUNTIMES = {"imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"}
_CONTAINERS_PATCHED = {"securityContext", "volumeMounts"}
_TRAINERS = {"image", "command", "args", "env"}


def launch(name: str, pod: TrainingPod, argo: Argo, retry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates that run a training as a TrainJob.

    Raises HubcError if the pods need something that a TrainJob cannot say.
    """
    _check(pod, argo)
    made = {"successCondition": TRAIN_JOB.success, "failureCondition": TRAIN_JOB.failure}
    return [
        steps(name, apply_and_wait(name)),
        apply(f"{name}-apply", manifest(TRAIN_JOB, argo, pod, _spec(pod, argo)), retry, **made),
        wait(f"{name}-wait", JOB_SET, argo, retry),
    ]


def _spec(pod: TrainingPod, argo: Argo) -> dict[str, Any]:
    return {
        "runtimeRef": {
            "apiGroup": "trainer.kubeflow.org",
            "kind": "ClusterTrainingRuntime",
            "name": argo.launcher.runtime,
        },
        # A backstop over all restarts that the runtime's JobSet makes; on it, Trainer deletes the JobSet.
        "activeDeadlineSeconds": pod.timeout_seconds * (pod.retries + 1),
        "trainer": _trainer(pod),
        "runtimePatches": [{"manager": MANAGER, "trainingRuntimeSpec": {"template": {"spec": _patch(pod)}}}],
    }


def _trainer(pod: TrainingPod) -> dict[str, Any]:
    (given,) = pod.spec["containers"]
    return {
        **{key: value for key, value in given.items() if key in _TRAINERS},
        "numNodes": pod.nodes,
        "numProcPerNode": pod.processes_per_node,
        **({"resourcesPerNode": given["resources"]} if "resources" in given else {}),
    }


def _patch(pod: TrainingPod) -> dict[str, Any]:
    """Return what the TrainJob changes in the JobSet of the runtime."""
    (given,) = pod.spec["containers"]
    container = {"name": CONTAINER, **{key: value for key, value in given.items() if key in _CONTAINERS_PATCHED}}
    spec = {**{key: value for key, value in pod.spec.items() if key in _PATCHED}, "containers": [container]}
    template = {"metadata": {"labels": labels(pod)}, "spec": spec}
    return {"replicatedJobs": [{"name": REPLICATED_JOB, "template": {"spec": {"template": template}}}]}


def _check(pod: TrainingPod, argo: Argo) -> None:
    """Raise HubcError for what would be lost on the way."""
    (given,) = pod.spec["containers"]
    lost = set(pod.spec) - _PATCHED - _RUNTIMES - {"containers"}
    lost |= set(given) - _CONTAINERS_PATCHED - _CONTAINERS_RUNTIMES - _TRAINERS - {"name", "resources"}
    if lost:
        raise HubcError(f"trainjob: a TrainJob cannot set {', '.join(sorted(lost))} of its pods; "
                        f"put it into the runtime '{argo.launcher.runtime}', or choose another launcher")  # fmt: skip
    if pod.master_port != MASTER_PORT:
        raise HubcError(f"trainjob: Kubeflow Trainer only knows the master port {MASTER_PORT}, not {pod.master_port}")
