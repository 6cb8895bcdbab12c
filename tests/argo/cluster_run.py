"""A run on a cluster as Argo's controller would show it, for tests to change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kube import KubeApi

Object = dict[str, Any]
RUN = "animals-0123456789"
DIGEST = "0123456789" + "a" * 54
STARTED, ENDED = "2026-01-01T00:00:10Z", "2026-01-01T00:01:10Z"
STEPS = ({"id": "generate", "kind": "generate", "key": "k1", "needs": [], "nodes": 1},
         {"id": "train", "kind": "train", "key": "k2", "needs": ["generate"], "nodes": 2},
         {"id": "evaluate", "kind": "evaluate", "key": "k3", "needs": ["train"], "nodes": 1})  # fmt: skip


def node(name: str, phase: str, type: str = "Pod", **more: Any) -> Object:
    """Return a node; its name is the path below the run."""
    full = f"{RUN}.{name}" if name else RUN
    found = {"id": full, "name": full, "displayName": name.rpartition(".")[2], "type": type, "phase": phase}
    return {**found, "startedAt": STARTED} | ({"finishedAt": ENDED} if phase not in ("Pending", "Running") else {}) | more


def training(phase: str, **more: Any) -> list[Object]:
    """Return the nodes of a step on two nodes."""
    job = {"inputs": {"parameters": [{"name": "step", "value": "train"}, {"name": "job", "value": "animals-train"}]}}
    return [
        node("train", phase, "Steps", **job),
        node("train[0]", "Succeeded", "StepGroup"),
        node("train[0].apply", "Succeeded", "Retry"),
        node("train[0].apply(0)", "Succeeded"),
        node("train[1]", phase, "StepGroup"),
        node("train[1].wait", phase, "Retry"),
        node("train[1].wait(0)", phase, **more),
    ]


def workflow(phase: str = "Running", *nodes: Object, **status: Any) -> Object:
    """Return a Workflow with nodes."""
    labels = {"app.kubernetes.io/managed-by": "hubc", "hubc.dev/pipeline": "animals"}
    notes = {"hubc.dev/spec": "specs/animals.yaml", "hubc.dev/plan-digest": DIGEST, "hubc.dev/steps": json.dumps(STEPS)}
    told = {"phase": phase, "startedAt": STARTED, "nodes": {item["id"]: item for item in (node("", phase, "DAG"), *nodes)}}
    told |= {"finishedAt": ENDED} if phase in ("Succeeded", "Failed", "Error") else {}
    metadata = {"name": RUN, "labels": labels, "annotations": notes, "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"metadata": metadata, "spec": {"entrypoint": "pipeline"}, "status": {**told, **status}}


def start(api: KubeApi, phase: str = "Running", *nodes: Object, **status: Any) -> Object:
    """Put a Workflow into the cluster."""
    return api.create("workflows", workflow(phase, *nodes, **status), "team")


def own_pod(api: KubeApi, task: str, phase: str = "Running", **status: Any) -> str:
    """Put a pod of Argo's own into the cluster and return its name."""
    owner = api.get("workflows", RUN, "team")["metadata"]["uid"]
    name = f"{RUN}-{task}".replace("(", "-").replace(")", "").replace("[", "-").replace("]", "").replace(".", "-")
    metadata = {
        "name": name,
        "labels": {"workflows.argoproj.io/workflow": RUN},
        "annotations": {"workflows.argoproj.io/node-name": f"{RUN}.{task}"},
        "ownerReferences": [{"uid": owner, "kind": "Workflow", "name": RUN, "apiVersion": "argoproj.io/v1alpha1",
                             "blockOwnerDeletion": True}],
    }  # fmt: skip
    spec = {"containers": [{"name": "wait"}, {"name": "main"}, {"name": "teacher"}], "nodeName": "n1"}
    api.create("pods", {"metadata": metadata, "spec": spec, "status": {"phase": phase, **status}}, "team")
    return name


def training_pod(api: KubeApi, rank: int, phase: str = "Running", **status: Any) -> str:
    """Put a node of the training into the cluster and return its pod's name."""
    name = f"animals-train-node-0-{rank}-abcde"
    labels = {"workflows.argoproj.io/workflow": RUN, "hubc.dev/step": "train",
              "batch.kubernetes.io/job-completion-index": str(rank)}  # fmt: skip
    spec = {"containers": [{"name": "node"}], "nodeName": "n1"}
    data = {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": {"phase": phase, **status}}
    api.create("pods", data, "team")
    return name


def container(name: str = "main", restarts: int = 0, **state: Any) -> Object:
    """Return the status of a container, such as `waiting={...}`; `last` is how it ended before."""
    last = {"lastState": {"terminated": state.pop("last")}} if "last" in state else {}
    return {"name": name, "restartCount": restarts, "state": state, **last}
