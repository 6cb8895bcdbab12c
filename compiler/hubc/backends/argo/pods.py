"""The pods of a run: which step and node each belongs to, how it is, and why it waits or failed, on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.kinds import RUN_LABEL
from hubc.backends.argo.nodes import step_name
from hubc.printable import printable
from hubc.runs import PodRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hubc.backends.argo.kinds import Object

STEP_LABEL = "hubc.dev/step"
NODE_NAME = "workflows.argoproj.io/node-name"
INDEX = "batch.kubernetes.io/job-completion-index"
REPLICA_TYPE = "training.kubeflow.org/replica-type"
REPLICA_INDEX = "training.kubeflow.org/replica-index"
ENDED_PODS = frozenset({"Succeeded", "Failed"})
MAX_REASON = 200
_NO_FAULT = (None, 0, 137, 143)
"""Exit codes of containers that did well or were told to end."""
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def phase(pod: Object) -> str:
    """Return the pod's phase in Kubernetes' words."""
    return str(pod.get("status", {}).get("phase", "Pending"))


def is_training(pod: Object) -> bool:
    """Tell whether a pod belongs to a training on several nodes, and is not one of Argo's own."""
    return NODE_NAME not in pod["metadata"].get("annotations", {})


def step_of(pod: Object) -> str | None:
    """Return the step that a pod runs; None for preparation, reports and the like."""
    metadata = pod["metadata"]
    if is_training(pod):
        label = metadata.get("labels", {}).get(STEP_LABEL)
        return None if label is None else str(label)
    return step_name(metadata["annotations"][NODE_NAME], metadata.get("labels", {}).get(RUN_LABEL, ""))


def by_step(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """Return the pods of each step, oldest first; of a training on several nodes not Argo's pod that looks after it."""
    found: dict[str, list[Object]] = {}
    for pod in sorted(pods, key=_order):
        if step := step_of(pod):
            found.setdefault(step, []).append(pod)
    return {step: [pod for pod in some if is_training(pod)] or some for step, some in found.items()}


def _order(pod: Object) -> tuple[str, int, str]:
    return pod["metadata"].get("creationTimestamp", ""), rank(pod), pod["metadata"]["name"]


def rank(pod: Object) -> int:
    """Return the node rank of a pod in a training on several nodes."""
    labels = pod["metadata"].get("labels", {})
    if REPLICA_INDEX in labels:
        # PyTorchJob counts masters and workers apart; its one master has rank 0.
        return int(labels[REPLICA_INDEX]) + int(labels.get(REPLICA_TYPE) == "worker")
    index = labels.get(INDEX) or pod["metadata"].get("annotations", {}).get(INDEX, "0")
    return int(str(index)) if str(index).isdecimal() else 0


def container(pod: Object) -> str:
    """Return the container that runs the step: Argo's `main`, or the first of a training pod."""
    return str(pod["spec"]["containers"][0]["name"]) if is_training(pod) else "main"


def pod_run(pod: Object, warnings: Mapping[str, str]) -> PodRun:
    """Return what is shown of a pod; `warnings` holds the newest warning about an object, by its name."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return PodRun(
        name=pod["metadata"]["name"],
        node=rank(pod),
        phase=phase(pod),
        restarts=sum(item.get("restartCount", 0) for item in statuses),
        reason=reason(pod, warnings),
    )


def reason(pod: Object, warnings: Mapping[str, str]) -> str:
    """Return why a pod waits, restarts or failed, on one line; nothing if all is well."""
    status = pod.get("status", {})
    if phase(pod) == "Succeeded":
        return ""
    if status.get("reason"):
        return one_line(f"{status['reason']}: {status.get('message', '')}")
    for item in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        if text := _container_reason(item):
            return text
    if phase(pod) != "Pending":
        return ""
    for condition in status.get("conditions", []):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            # What follows is about pods that might be pushed aside, and repeats the numbers.
            return one_line(f"{condition.get('reason')}: {condition.get('message', '').partition(' preemption:')[0]}")
    return warnings.get(pod["metadata"]["name"], "")


def told(pod: Object) -> str:
    """Return the last word of a step that failed by itself, which it leaves where Kubernetes looks for it."""
    for item in pod.get("status", {}).get("containerStatuses", []):
        ended = item.get("state", {}).get("terminated", {})
        if item["name"] == container(pod) and ended.get("exitCode") not in _NO_FAULT and ended.get("message"):
            return one_line(ended["message"])
    return ""


def one_line(text: str) -> str:
    """Return text of others on one line that is not too long."""
    line = printable(" ".join(text.split())).rstrip(": ")
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"


def _container_reason(item: dict[str, Any]) -> str:
    state, last = item.get("state", {}), item.get("lastState", {}).get("terminated", {})
    if waiting := state.get("waiting"):
        why = str(waiting.get("reason", ""))
        if why in _STARTING:
            return ""
        if why == "CrashLoopBackOff" and last:
            return one_line(f"{why}: {_ended(last)}")
        return one_line(f"{why}: {waiting.get('message', '')}")
    if (ended := state.get("terminated")) and ended.get("exitCode"):
        return one_line(_ended(ended))
    return one_line(f"restarted after: {_ended(last)}") if last.get("exitCode") and item.get("restartCount") else ""


def _ended(state: Mapping[str, Any]) -> str:
    if state.get("reason") == "OOMKilled":
        return "OOMKilled: it needed more memory than its limit"
    return f"exit code {state.get('exitCode')}: {state.get('message') or state.get('reason', '')}"
