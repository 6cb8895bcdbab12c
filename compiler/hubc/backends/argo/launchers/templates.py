"""Argo templates, as plain data, that apply, await, restart and delete one object of a training.

Applying and waiting are two templates. Waiting takes hours, so it is what a lost executor pod interrupts; a retry then
only reads the object. Applying it once more would undo what Kueue and webhooks have put into it meanwhile, or be
refused, since most of it may not change while it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers.pod_template import labels
from hubc.backends.argo.tags import Tag, to_manifest

if TYPE_CHECKING:
    from hubc.backends.argo.launchers.kinds import Kind
    from hubc.backends.argo.launchers.pod_template import TrainingPod
    from hubc.spec.cluster import Argo

_INPUTS = ("step", "job")


def reference(kind: Kind, argo: Argo) -> dict[str, Any]:
    """Return a manifest that names the object of a training without describing it."""
    metadata = {"name": Tag.JOB, "namespace": argo.namespace}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def manifest(kind: Kind, argo: Argo, pod: TrainingPod, spec: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a training's object.

    Kueue admits the object as a whole; on a pod, its label would make each pod wait by itself. Kueue takes the priority
    from the pods' PriorityClass: its own label names a WorkloadPriorityClass, which is another thing.
    """
    found = reference(kind, argo)
    queue = {"kueue.x-k8s.io/queue-name": argo.queue} if argo.queue else {}
    found["metadata"]["labels"] = {**labels(pod), **queue}
    return {**found, "spec": spec}


def leaf(name: str, data: dict[str, Any], retry: dict[str, Any], **resource: Any) -> dict[str, Any]:
    """Return a template that does something to an object; `resource` says what, in Argo's words."""
    return {
        "name": name,
        "inputs": _parameters(_INPUTS),
        "resource": {**resource, "manifest": to_manifest(data)},
        "retryStrategy": retry,
    }


def apply(name: str, data: dict[str, Any], retry: dict[str, Any], **conditions: str) -> dict[str, Any]:
    """Return the template that makes an object, or finds it again; it goes with the Workflow at the latest."""
    return leaf(name, data, retry, action="apply", setOwnerReference=True, **conditions)


def wait(name: str, kind: Kind, argo: Argo, retry: dict[str, Any]) -> dict[str, Any]:
    """Return the template that waits until an object has ended.

    It has no deadline: the object's own does not count the time in a queue. A missing object is a failure.
    """
    conditions = {"successCondition": kind.success, "failureCondition": kind.failure}
    return leaf(name, reference(kind, argo), retry, action="get", **conditions)


def steps(name: str, groups: list[list[dict[str, Any]]], inputs: tuple[str, ...] = _INPUTS) -> dict[str, Any]:
    """Return a template that runs groups of steps one after the other, each step with the template's own inputs."""
    parameters = [{"name": input, "value": f"{{{{inputs.parameters.{input}}}}}"} for input in inputs]
    return {
        "name": name,
        "inputs": _parameters(inputs),
        "steps": [[{**step, "arguments": {"parameters": parameters}} for step in group] for group in groups],
    }


def step(name: str, template: str, **fields: Any) -> dict[str, Any]:
    """Return a step of a `steps` template."""
    return {"name": name, "template": template, **fields}


def apply_and_wait(name: str, **fields: Any) -> list[list[dict[str, Any]]]:
    """Return the steps that every launcher takes; `fields` go to the waiting one."""
    return [[step("apply", f"{name}-apply")], [step("wait", f"{name}-wait", **fields)]]


def _parameters(names: tuple[str, ...]) -> dict[str, Any]:
    return {"parameters": [{"name": name} for name in names]}
