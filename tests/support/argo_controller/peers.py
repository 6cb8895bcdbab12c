"""How the pods of one training find each other on one machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argo_controller.places import HOSTS, PORTS, free_port

if TYPE_CHECKING:
    from argo_controller.cluster import Cluster

Object = dict[str, Any]
_MASTER_PORTS = ("PET_MASTER_PORT", "MASTER_PORT")


def meeting(cluster: Cluster, attempt: str, hosts: list[str], namespace: str, templates: list[Object]) -> Object:
    """Return the annotations of pods that meet: the same ones for one attempt, with a port that is free on this machine."""
    ends = (f".{namespace}.svc.cluster.local", f".{namespace}.svc", f".{namespace}", "")
    if attempt not in cluster.meetings:
        ports = ",".join(f"{port}={free_port()}" for port in sorted(_ports(templates)))
        cluster.meetings[attempt] = {HOSTS: ",".join(host + end for host in hosts for end in ends), PORTS: ports}
    return cluster.meetings[attempt]


def with_notes(template: Object, labels: Object, notes: Object) -> Object:
    """Return a pod template with more labels and annotations."""
    given = template.get("metadata", {})
    metadata = {**given, "labels": given.get("labels", {}) | labels, "annotations": given.get("annotations", {}) | notes}
    return {**template, "metadata": metadata}


def _ports(templates: list[Object]) -> set[str]:
    containers = [item for template in templates for item in template["spec"]["containers"]]
    variables = [item for container in containers for item in container.get("env", [])]
    return {str(item["value"]) for item in variables if item["name"] in _MASTER_PORTS and "value" in item}
