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
_GROUPS = frozenset({"DAG", "Steps", "StepGroup", "TaskGroup"})
_ATTEMPT = re.compile(r"\(\d+\)$")
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
    """Return the step in a full node name such as `run.variants-0.train(1)`; None for what is not a step of the plan."""
    if node_name == workflow or node_name.startswith(f"{workflow}.onExit"):
        return None
    return _ATTEMPT.sub("", node_name).rpartition(".")[2]


@dataclass(frozen=True)
class StepNode:
    """The node of one step, with the attempts below it."""

    node: Object
    attempts: tuple[Object, ...]

    @property
    def phase(self) -> str:
        """Argo's word for the state."""
        return str(self.node.get("phase", ""))

    @property
    def last(self) -> Object:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else self.node

    @property
    def exit_code(self) -> int | None:
        """The exit code of the newest attempt."""
        code = str((self.last.get("outputs") or {}).get("exitCode", ""))
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
    """Return the nodes of tasks that are no groups, by their names."""
    nodes = nodes_of(workflow)
    found = {}
    for node in nodes.values():
        name, parent = str(node.get("name", "")), workflow["metadata"]["name"]
        if node.get("type") in _GROUPS or _ATTEMPT.search(name) or not (step := step_name(name, parent)):
            continue
        attempts = [nodes[child] for child in node.get("children") or [] if child in nodes]
        found[step] = StepNode(node, tuple(attempts) if node.get("type") == "Retry" else (node,))
    return found


def moment(text: Any) -> float | None:
    """Return a time that Kubernetes wrote in seconds since 1970."""
    return datetime.fromisoformat(text).timestamp() if text else None
