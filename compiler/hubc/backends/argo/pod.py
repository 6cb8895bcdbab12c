"""The parts of a step's pod, in Kubernetes' own words: Argo's containers and the pods of a JobSet share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.contract import DEVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_steps.contract import Request
    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

OUTPUTS = "file:///storage/outputs"
PUBLISHED = "file:///storage/published"
MODELS = "/storage/models"
MASTER_PORT = 29500
GRACE_SECONDS = 120
"""Time between SIGTERM and the end of a training pod; torchrun gives its processes 30 s of it to write a checkpoint."""

POD_SECURITY = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
"""The restricted Pod Security Standard. No user id is fixed: OpenShift gives each namespace its own."""
_CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def request(plan: Plan, step: Step, run: str) -> Request:
    """Return what a step is told on a cluster, where all pods mount the same volume."""
    return plan.request(step, run, OUTPUTS, PUBLISHED, MODELS)


def container(
    step: Step, accelerators: Mapping[str, Accelerator], request: str, extra: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the container of a step; `request` says where its request is, `extra` adds environment variables."""
    return {
        "image": step.image,
        "command": ["python", "-m", "hub_steps", step.kind, "--request", request],
        "env": [*_HOME, *_device(step), *extra, *_secrets(step)],
        "resources": _resources(step, accelerators),
        "securityContext": _CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "storage", "mountPath": "/storage"},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - the root file system is read-only
            *([{"name": "shared-memory", "mountPath": "/dev/shm"}] if step.kind == "train" else []),  # noqa: S108
        ],
    }


def volumes(step: Step, argo: Argo) -> list[dict[str, Any]]:
    """Return the volumes that a step's container mounts; training processes share tensors through memory."""
    found: list[dict[str, Any]] = [
        {"name": "storage", "persistentVolumeClaim": {"claimName": argo.storage.claim}},
        {"name": "scratch", "emptyDir": {}},
    ]
    if step.kind == "train":
        found.append({"name": "shared-memory", "emptyDir": {"medium": "Memory"}})
    return found


def placement(step: Step, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    """Return the node selector and tolerations of a step, where it has any."""
    kind = accelerators[step.resources.accelerator] if step.resources.accelerator else None
    found: dict[str, Any] = {}
    if kind and kind.node_selector:
        found["nodeSelector"] = dict(kind.node_selector)
    if kind and kind.tolerations:
        found["tolerations"] = [
            {"operator": "Exists" if item.value is None else "Equal", **item.model_dump(exclude_none=True)}
            for item in kind.tolerations
        ]
    return found


def torchrun(step: Step, rank: dict[str, Any], master: str) -> list[dict[str, Any]]:
    """Return the variables that tell torchrun about its peers; `rank` is the value of the node rank's variable."""
    return [
        variable("PET_NNODES", step.resources.nodes),
        variable("PET_NPROC_PER_NODE", step.resources.processes_per_node),
        {"name": "PET_NODE_RANK", **rank},
        variable("PET_MASTER_ADDR", master),
        variable("PET_MASTER_PORT", MASTER_PORT),
    ]


def variable(name: str, value: str | int) -> dict[str, Any]:
    """Return an environment variable."""
    return {"name": name, "value": str(value)}


# An arbitrary user id has no home and no name, and libraries ask for both.
_HOME = [variable("HOME", "/tmp"), variable("USER", "hubc"), variable("HF_HOME", "/tmp/huggingface")]  # noqa: S108


def _device(step: Step) -> list[dict[str, Any]]:
    """Return how a step computes: libraries would otherwise take all cores of the node for theirs."""
    threads = variable("OMP_NUM_THREADS", max(1, step.resources.cpus // step.resources.processes_per_node))
    return [threads] if step.resources.devices else [variable(DEVICE, "cpu"), threads]


def _secrets(step: Step) -> list[dict[str, Any]]:
    return [
        {"name": secret.variable, "valueFrom": {"secretKeyRef": {"name": secret.secret, "key": secret.key}}}
        for secret in dict.fromkeys(step.secrets)
    ]


def _resources(step: Step, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    amounts = {"cpu": str(step.resources.cpus), "memory": f"{step.resources.memory_gib}Gi"}
    kind = accelerators[step.resources.accelerator] if step.resources.accelerator else None
    if kind and kind.resource:
        amounts[kind.resource] = str(step.resources.accelerators)
    return {"requests": amounts, "limits": dict(amounts)}
