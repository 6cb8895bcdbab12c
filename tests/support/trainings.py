"""A small training on three nodes, and how to read what launchers make of it."""

from __future__ import annotations

import json
from typing import Any

from hubc.backends.argo.launchers import TrainingPod
from hubc.backends.argo.tags import Tag, tagged

RETRY = {
    "limit": 2,
    "retryPolicy": "Always",
    "expression": 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]',
    "backoff": {"duration": "1m", "factor": 2},
}
"""Retries of executor pods, as the Workflow asks for them."""
SAMPLE = {Tag.JOB: "quick-train-0123456789", Tag.STEP: "train", Tag.RUN: "quick-0123456789"}
"""What Argo fills in."""


def training_pod(**changes: Any) -> TrainingPod:
    amounts = {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "4"}
    uri = tagged("file:///storage/outputs/quick/.runs/", Tag.RUN, "/", Tag.STEP, ".request.json")
    secret = {"secretKeyRef": {"name": "hub", "key": "token"}}
    container = {
        "name": "node",
        "image": "registry.example.com/hubc/train@sha256:" + "2" * 64,
        "command": ["python", "-m", "hub_steps", "train", "--request", uri],
        "env": [
            {"name": "HOME", "value": "/tmp"},
            {"name": "HUBC_RUN", "value": Tag.RUN},
            {"name": "HUBC_SECRET_HUB__TOKEN", "valueFrom": secret},
        ],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}, {"name": "shared-memory", "mountPath": "/dev/shm"}],
    }
    spec = {
        "serviceAccountName": "hubc-step",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 120,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "imagePullSecrets": [{"name": "pull"}],
        "priorityClassName": "batch",
        "nodeSelector": {"accelerator": "h100"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [container],
        "volumes": [
            {"name": "scratch", "emptyDir": {}},
            {"name": "shared-memory", "emptyDir": {"medium": "Memory"}},
        ],
    }
    labels = {
        "app.kubernetes.io/managed-by": "hubc",
        "hubc.dev/pipeline": "quick",
        "hubc.dev/step": Tag.STEP,
        "workflows.argoproj.io/workflow": Tag.RUN,
    }
    fields = {
        "spec": spec, "labels": labels, "nodes": 3, "processes_per_node": 4, "timeout_seconds": 14400, "retries": 2,
        "master_port": 29500,
    }  # fmt: skip
    return TrainingPod(**{**fields, **changes})


def read(manifest: str) -> Any:
    """Return what a manifest says once Argo has filled it in."""
    for tag, value in SAMPLE.items():
        manifest = manifest.replace(str(tag), value)
    assert "{{" not in manifest
    return json.loads(manifest)


def container_of(manifest: dict[str, Any]) -> Any:
    """Return the container of a manifest that holds whole pods."""
    return next(iter(pods_of(manifest).values()))["spec"]["containers"][0]


def pods_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the pod templates of a manifest, by role."""
    spec = manifest["spec"]
    match manifest["kind"]:
        case "JobSet":
            return {"node": spec["replicatedJobs"][0]["template"]["spec"]["template"]}
        case "Job":
            return {"node": spec["template"]}
        case "PyTorchJob":
            return {role: replicas["template"] for role, replicas in spec["pytorchReplicaSpecs"].items()}
        case "TrainJob":
            (patch,) = spec["runtimePatches"]
            return {
                "node": patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
            }
        case other:
            raise AssertionError(f"{other} has no pods")
