"""The parts of a pod, in Kubernetes' own words: Argo's containers and the pods of trainings share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.layout import CERTIFICATES, layout
from hubc.backends.argo.tags import Tag, Tagged, tagged
from hubc.backends.argo.variables import common, network, of_step
from hubc.serving import ITSELF, served, shares

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

MASTER_PORT = 29500
GRACE_SECONDS = 120
"""Time between SIGTERM and the end of a training pod; torchrun gives its processes 30 s of it to write a checkpoint."""
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
ASKING = {"cpu": "1", "memory": "2Gi"}
"""What a step takes that only asks a server beside it."""
SHARED_MEMORY = {"name": "shared-memory", "mountPath": "/dev/shm"}  # noqa: S108 - a volume of the pod's own


def pod_security(argo: Argo) -> dict[str, Any]:
    """Return the security context of pods: the restricted Pod Security Standard, and the ids that the platform names."""
    ids = {"runAsUser": argo.security.run_as_user, "runAsGroup": argo.security.run_as_group,
           "fsGroup": argo.security.fs_group}  # fmt: skip
    named = {name: value for name, value in ids.items() if value is not None}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **named}


def step_container(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    """Return the container of a step; which one of several alike it is, its template's parameter `step` says."""
    where = layout(argo)
    memory = [SHARED_MEMORY] if step.kind == "train" else []
    told = [*common(argo, CERTIFICATES), *where.variables, *of_step(step, argo)]
    return {
        "image": step.image,
        "command": ["python", "-m", "hub_steps", step.kind, "--request", request_uri(plan, argo)],
        "env": [*told, *(network(argo) if step.kind == "train" else [])],
        "resources": resources(step_amounts(step, accelerators)[ITSELF]),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [*where.mounts, *memory],
    }


def request_uri(plan: Plan, argo: Argo) -> Tagged:
    """Return where a step's request lies once the run's first pod has handed them out."""
    return tagged(plan.run_record(layout(argo).outputs, ""), Tag.RUN, "/", Tag.STEP, ".request.json")


def own_container(argo: Argo, command: Sequence[str | Tag], variables: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a container of a program that serves the run itself: small, with the publish image."""
    where = layout(argo)
    return {
        "image": argo.images.publish,
        "command": list(command),
        "env": [*common(argo, CERTIFICATES), *where.variables, *variables],
        "resources": resources({"cpu": "500m", "memory": "512Mi"}),
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": list(where.mounts),
    }


def volumes(step: Step, argo: Argo) -> list[dict[str, Any]]:
    """Return the volumes that a step's containers mount; processes that share tensors do so through memory."""
    found = list(layout(argo).volumes)
    if step.kind == "train" or (argo.serving.engine == "vllm" and served(step)):
        most = {"sizeLimit": f"{argo.shared_memory_gib}Gi"} if argo.shared_memory_gib else {}
        found.append({"name": "shared-memory", "emptyDir": {"medium": "Memory", **most}})
    return found


def placement(step: Step, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    """Return the node selector and tolerations of a step, where it has any."""
    kind = accelerators.get(step.resources.accelerator or "")
    found: dict[str, Any] = {}
    if kind and kind.node_selector:
        found["nodeSelector"] = dict(kind.node_selector)
    if kind and kind.tolerations:
        found["tolerations"] = [
            {"operator": "Exists" if item.value is None else "Equal", **item.model_dump(exclude_none=True)}
            for item in kind.tolerations
        ]
    return found


def step_amounts(step: Step, accelerators: Mapping[str, Accelerator]) -> dict[str, dict[str, str]]:
    """Return what the container of a step, `step`, and those of the models served beside it get on each node.

    Each has the step's cores and memory, since it computes, and its share of the accelerators. A step that only asks
    is small.
    """
    kind = accelerators.get(step.resources.accelerator or "")
    amounts = {"cpu": str(step.resources.cpus), "memory": f"{step.resources.memory_gib}Gi"}
    found = {ITSELF: dict(ASKING)}
    for who, devices in shares(step).items():
        found[who] = amounts | ({kind.resource: str(devices)} if kind and kind.resource and devices else {})
    return found


def resources(amounts: Mapping[str, str]) -> dict[str, Any]:
    """Return the amounts as a container's requests, and as its limits."""
    return {"requests": dict(amounts), "limits": dict(amounts)}
