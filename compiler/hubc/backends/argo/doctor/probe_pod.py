"""The pod that tries out on the cluster what only the cluster can know: pulling images, reaching storage and services."""

from __future__ import annotations

import json
import secrets as randomness
from typing import TYPE_CHECKING, Any

from hub_steps.contract import RUN
from hubc.backends.argo.layout import layout
from hubc.backends.argo.pod import CONTAINER_SECURITY, own_container, pod_security
from hubc.backends.argo.tags import to_text
from hubc.backends.argo.variables import secrets
from hubc.doctor.requests import references

if TYPE_CHECKING:
    from hubc.backends.argo.kinds import Object
    from hubc.spec.cluster import Argo

NOTE = "hubc.dev/probe"
"""Annotation with the request, which the pod reads from a file."""
LABEL = "hubc.dev/doctor"
FOLDER, FILE = "/hubc/probe", "request.json"
PROBE = "probe"
MOST_BYTES = 200 * 1024
"""A pod's annotations may have 256 KiB together."""
SMALL = {"cpu": "50m", "memory": "64Mi"}


def probe_pod(argo: Argo, document: dict[str, Any], limit_seconds: int) -> Object:
    """Return a pod of a name of its own, which ends by itself after a time even if nobody is left to delete it."""
    name = f"hubc-doctor-{randomness.token_hex(4)}"
    priority = {"priorityClassName": argo.priority_class} if argo.priority_class else {}
    pulled = {"imagePullSecrets": [{"name": item} for item in argo.image_pull_secrets]} if argo.image_pull_secrets else {}
    request = {"name": "request", "downwardAPI": {"items": [
        {"path": FILE, "fieldRef": {"fieldPath": f"metadata.annotations['{NOTE}']"}}]}}  # fmt: skip
    found: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        # Network policies let the pods of runs out by the first label.
        "metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "hubc", LABEL: name},
                     "annotations": {NOTE: json.dumps(document)}},
        "spec": {
            "serviceAccountName": argo.service_account,
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "activeDeadlineSeconds": limit_seconds,
            "terminationGracePeriodSeconds": 1,
            "securityContext": pod_security(argo),
            "containers": [*_pulling(argo), _probing(argo, document, name)],
            "volumes": [*layout(argo).volumes, request],
            **priority,
            **pulled,
        },
    }  # fmt: skip
    return found


def images(argo: Argo) -> dict[str, str]:
    """Return container -> image of the probe pod: each image once, that of the probe last."""
    kinds = {"generate": argo.images.generate, "train": argo.images.train, "evaluate": argo.images.evaluate}
    if argo.serving.image:
        kinds["serving"] = argo.serving.image
    first: dict[str, str] = {}
    for kind, image in kinds.items():
        if image not in (argo.images.publish, *first.values()):
            first[kind] = image
    return {**first, PROBE: argo.images.publish}


def _pulling(argo: Argo) -> list[dict[str, Any]]:
    """Return containers that end at once: that they started shows that their images are there."""
    return [
        {"name": kind, "image": image, "command": ["true"], "securityContext": CONTAINER_SECURITY,
         "resources": {"requests": SMALL, "limits": SMALL}}
        for kind, image in images(argo).items() if kind != PROBE
    ]  # fmt: skip


def _probing(argo: Argo, document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the container that probes, with what a step has; a secret that is missing shows in what it finds."""
    command = ["python", "-m", "hub_steps.probe", "--request", f"{FOLDER}/{FILE}"]
    container: dict[str, Any] = to_text(own_container(argo, command, secrets(references(document), argo)))
    for item in container["env"]:
        if "secretKeyRef" in item.get("valueFrom", {}):
            item["valueFrom"] = {"secretKeyRef": {**item["valueFrom"]["secretKeyRef"], "optional": True}}
        if item["name"] == RUN:
            item["value"] = name
    container["volumeMounts"].append({"name": "request", "mountPath": FOLDER, "readOnly": True})
    return {"name": PROBE, **container}
