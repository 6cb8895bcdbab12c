"""What Argo has noted about the nodes of a Workflow, compressed or not."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hubc.errors import HubcError

if TYPE_CHECKING:
    from hubc.backends.argo.kinds import Object

MAX_BYTES = 64 * 1024**2
"""Largest note that is unpacked: Argo itself keeps it below a few megabytes."""
ENDED_PHASES = frozenset({"Succeeded", "Failed", "Error"})
_GRAPHS = frozenset({"DAG", "StepGroup", "TaskGroup"})
_ATTEMPT = re.compile(r"\(\d+\)$")
_PART = re.compile(r"\[\d+\]|\(\d+\)$")
_AGAIN = re.compile(r"\.(again-\d+)\b")
_FAILURE = re.compile(r"^(?:\w+: )?\w+ \(exit code \d+\)(?:: )?")


def has_ended(workflow: Object) -> bool:
    """Tell whether a Workflow will change no more."""
    return workflow.get("status", {}).get("phase") in ENDED_PHASES


def is_offloaded(workflow: Object) -> bool:
    """Tell whether the controller keeps the nodes in its own database, where only Argo's server reads them."""
    status = workflow.get("status", {})
    return bool(status.get("offloadNodeStatusVersion")) and not status.get("nodes") and not status.get("compressedNodes")


def nodes_of(workflow: Object) -> dict[str, Object]:
    """Return the nodes by id.

    Raises HubcError if they are compressed in a way that cannot be read.
    """
    status = workflow.get("status", {})
    if not (compressed := status.get("compressedNodes")):
        return dict(status.get("nodes") or {})
    try:
        unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        data = unpacking.decompress(base64.b64decode(compressed), MAX_BYTES)
        return dict(json.loads(data))
    except (ValueError, zlib.error):
        name = workflow["metadata"]["name"]
        raise HubcError(
            f"the compressed state of Workflow '{name}' cannot be read; look at it with: argo get {name}"
        ) from None


def step_name(node_name: str, workflow: str) -> str | None:
    """Return the task in a full node name such as `run.variants-1.train[1].wait(0)`; None for what is in no task.

    What stands in brackets, and all after it, are the attempts and the parts of a task.
    """
    if node_name == workflow or node_name.startswith(f"{workflow}.onExit"):
        return None
    return _ATTEMPT.sub("", node_name.partition("[")[0]).rpartition(".")[2]


@dataclass(frozen=True)
class StepNode:
    """The node of one task, with the pods below it in the order in which they began."""

    node: Object
    pods: tuple[Object, ...]

    @property
    def phase(self) -> str:
        """Argo's word for the state."""
        return str(self.node.get("phase", ""))

    @property
    def is_group(self) -> bool:
        """Whether it is a training on several nodes, which Argo's own pods only look after."""
        return self.node.get("type") == "Steps"

    @property
    def last(self) -> Object:
        """The pod that decides: the one that failed last, or else the newest."""
        failed = [pod for pod in self.pods if pod.get("phase") in ("Failed", "Error")]
        candidates: list[Object] = [self.node, *self.pods, *(failed if self.phase in ("Failed", "Error") else ())]
        return candidates[-1]

    @property
    def attempts(self) -> int:
        """How often the task was begun."""
        if not self.is_group:
            return len(self.pods)
        return 1 + len({again[1] for pod in self.pods if (again := _AGAIN.search(str(pod.get("name"))))})

    @property
    def exit_code(self) -> int | None:
        """The exit code of the step; that of a pod that looks after a training says nothing of it."""
        code = "" if self.is_group else str((self.last.get("outputs") or {}).get("exitCode", ""))
        return int(code) if code.isdecimal() else None

    @property
    def message(self) -> str:
        """Why it waits or failed; of a container, what it said itself."""
        said = str(self.last.get("message") or self.node.get("message") or "")
        return _FAILURE.sub("", said) or said

    @property
    def lock(self) -> str:
        """The mutex or semaphore that it waits for."""
        return str((self.last.get("synchronizationStatus") or {}).get("waiting", ""))

    def parameter(self, name: str) -> str:
        """Return an input parameter, or an empty string."""
        parameters = (self.node.get("inputs") or self.last.get("inputs") or {}).get("parameters") or []
        return next((str(item.get("value", "")) for item in parameters if item.get("name") == name), "")


def step_nodes(workflow: Object) -> dict[str, StepNode]:
    """Return the nodes of tasks that are no graphs themselves, by their names."""
    run = workflow["metadata"]["name"]
    tasks: dict[str, Object] = {}
    pods: dict[str, list[Object]] = {}
    for node in sorted(nodes_of(workflow).values(), key=lambda node: str(node.get("startedAt") or "")):
        name = str(node.get("name", ""))
        if not (task := step_name(name, run)):
            continue
        if node.get("type") == "Pod":
            pods.setdefault(task, []).append(node)
        if node.get("type") not in _GRAPHS and not _PART.search(name):
            tasks[task] = node
    return {task: StepNode(node, tuple(pods.get(task, ()))) for task, node in tasks.items()}


def moment(text: Any) -> float | None:
    """Return a time that Kubernetes wrote in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp() if text else None
