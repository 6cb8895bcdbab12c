"""Whether there are nodes with the accelerators that a platform names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.amounts import quantity
from hubc.backends.argo.kinds import Kind
from hubc.doctor.finding import Finding
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object
    from hubc.spec.platform import Accelerator

NODES = Kind("nodes", is_namespaced=False)
REPELS = ("NoSchedule", "NoExecute")
LATER = "or, if nodes are made when they are needed, go on"


def check_nodes(case: Case) -> Iterator[Finding]:
    """Say of each kind of accelerator which nodes have it."""
    kinds = {name: kind for name, kind in case.accelerators.items() if kind.resource}
    nodes = case.find_all("nodes", NODES) if kinds else []
    for name, kind in kinds.items():
        subject = f"accelerator '{name}'"
        if isinstance(nodes, Finding):
            yield Finding(subject, nodes.state, nodes.text, nodes.remedy)
        else:
            yield _accelerator(case, subject, name, kind, nodes)


def _accelerator(case: Case, subject: str, name: str, kind: Accelerator, nodes: list[Object]) -> Finding:
    having = [node for node in nodes if _amount(node, kind)]
    if not having:
        text = f"no node has {kind.resource}"
        return Finding(subject, "bad", text, f"install its device plugin, or mend 'resource', {LATER}")
    chosen = [node for node in having if kind.node_selector.items() <= node["metadata"].get("labels", {}).items()]
    if not chosen:
        labels = ", ".join(f"{key}={value}" for key, value in kind.node_selector.items())
        return Finding(subject, "bad", f"nodes have {kind.resource}, and none of them the labels {labels}",
                       f"label them, or mend 'node_selector', {LATER}")  # fmt: skip
    open_ = [node for node in chosen if not _repelling(node, kind)]
    if not open_:
        return Finding(subject, "bad", f"nodes with {kind.resource} have a taint: {_repelling(chosen[0], kind)}",
                       "add it to 'tolerations', or take it away")  # fmt: skip
    return _enough(case, subject, name, kind, open_)


def _enough(case: Case, subject: str, name: str, kind: Accelerator, nodes: list[Object]) -> Finding:
    """Say whether nodes have as many as the plan's steps take."""
    for step in case.plan.steps if case.plan else ():
        wanted = step.resources
        if wanted.accelerator != name or not wanted.devices:
            continue
        fit = [node for node in nodes if _amount(node, kind) >= wanted.devices]
        if len(fit) < wanted.nodes:
            text = f"step '{step.id}' needs {wanted.nodes} x {wanted.devices} {kind.resource}, {len(fit)} nodes have so many"
            return Finding(subject, "bad", text, f"give the step less, or the cluster more, {LATER}")
    most = max(_amount(node, kind) for node in nodes)
    number = f"{len(nodes)} node{'' if len(nodes) == 1 else 's'}"
    return Finding(subject, "good", f"{number} with up to {most} {kind.resource}")


def _amount(node: Object, kind: Accelerator) -> int:
    return int(quantity(node.get("status", {}).get("allocatable", {}).get(kind.resource, "0")))


def _repelling(node: Object, kind: Accelerator) -> str:
    """Return a taint of a node that keeps our pods away; empty if there is none."""
    for taint in node.get("spec", {}).get("taints") or []:
        if taint.get("effect") in REPELS and not any(
            item.key == taint.get("key")
            and item.value in (None, taint.get("value"))
            and item.effect in (None, taint["effect"])
            for item in kind.tolerations
        ):
            return printable(f"{taint.get('key')}={taint.get('value', '')}:{taint['effect']}")
    return ""
