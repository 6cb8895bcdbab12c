"""`status.nodes` of a Workflow: what Argo remembers of each thing that it runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]
FULFILLED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
COMPLETED = ("Succeeded", "Failed", "Error")
BAD = ("Failed", "Error")
_BEFORE = re.compile(r"^(\[\d+\])?\.")


def now() -> str:
    """Return the time as the API writes it."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def fnv32a(text: str) -> int:
    """Return the hash that Argo makes names unique with."""
    found = 0x811C9DC5
    for byte in text.encode():
        found = ((found ^ byte) * 0x01000193) % 2**32
    return found


def pod_name(workflow: str, node: str, template: str) -> str:
    """Return the name of a node's pod."""
    return workflow if node == workflow else f"{workflow}-{template}-{fnv32a(node)}"


def is_fulfilled(node: Object | None) -> bool:
    """Tell whether a node will not change any more."""
    return node is not None and node["phase"] in FULFILLED


class Nodes:
    """The nodes by name."""

    def __init__(self, workflow: str, nodes: Object) -> None:
        self._workflow, self.by_id = workflow, nodes

    def id(self, name: str) -> str:
        return name if name == self._workflow else f"{self._workflow}-{fnv32a(name)}"

    def get(self, name: str) -> Object | None:
        return self.by_id.get(self.id(name))

    def add(
        self, name: str, type: str, phase: str, template: str = "", boundary: Object | None = None, message: str = ""
    ) -> Object:
        """Add a node; what is inside another one is shown without the other's name."""
        shown = _BEFORE.sub("", name.removeprefix(boundary["name"])) if boundary else name
        node: Object = {"id": self.id(name), "name": name, "displayName": shown, "type": type, "startedAt": now()}
        node |= {"templateName": template} if template else {}
        node |= {"boundaryID": boundary["id"]} if boundary else {}
        self.by_id[node["id"]] = node
        return self.mark(node, phase, message)

    def mark(self, node: Object, phase: str, message: str = "") -> Object:
        """Set a node's phase, and its message if there is one."""
        node["phase"] = phase
        if message:
            node["message"] = message
        if phase in FULFILLED:
            node.setdefault("finishedAt", now())
        return node

    def link(self, parent: Object, child: str) -> None:
        """Draw the line from one node to the next."""
        children = parent.setdefault("children", [])
        if self.id(child) not in children:
            children.append(self.id(child))

    def attempts(self, node: Object) -> list[Object]:
        """Return the attempts of a Retry node."""
        return [self.by_id[self.id(f"{node['name']}({number})")] for number in range(self._num_attempts(node))]

    def _num_attempts(self, node: Object) -> int:
        number = 0
        while self.get(f"{node['name']}({number})"):
            number += 1
        return number

    def outbound(self, node: Object) -> list[Object]:
        """Return the nodes that those which come after this one hang from."""
        if node["type"] == "Retry":
            attempts = self.attempts(node)
            return self.outbound(attempts[-1]) if attempts else [node]
        if node["type"] in ("DAG", "Steps") and node.get("outboundNodes"):
            return [self.by_id[id] for id in node["outboundNodes"]]
        return [node]

    def active(self, boundary: str | None = None) -> int:
        """Count pods that wait or run, in all or directly inside one node."""
        return sum(
            node["type"] == "Pod" and not is_fulfilled(node) and boundary in (None, node.get("boundaryID"))
            for node in self.by_id.values()
        )
