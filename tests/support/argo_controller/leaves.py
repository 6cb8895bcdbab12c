"""Templates that become pods: making the pod, and reading from it how its node stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kube import ApiError

from argo_controller.nodes import is_fulfilled, pod_name

if TYPE_CHECKING:
    from argo_controller.workflows import Operation

Object = dict[str, Any]
TEMPLATE = "workflows.argoproj.io/template"
OUTPUTS = "workflows.argoproj.io/outputs"
WORKFLOW = "workflows.argoproj.io/workflow"
COMPLETED = "workflows.argoproj.io/completed"
EXECUTOR = ("init", "wait")
"""Argo's own containers beside `main`; the kubelet of the tests does their work itself."""
_POD_FIELDS = ("nodeSelector", "tolerations", "affinity", "serviceAccountName", "automountServiceAccountToken",
               "securityContext", "priorityClassName", "hostAliases", "schedulerName", "imagePullSecrets")  # fmt: skip


def pod_of(run: Operation, name: str, template: Object) -> str:
    """Return the name of a node's pod."""
    return pod_name(run.name, name, template["name"])


def play(run: Operation, name: str, template: Object, boundary: Object | None) -> Object:
    """Make the pod of a node that has none yet."""
    node = run.nodes.get(name)
    if node and node["phase"] != "Pending":
        return node
    node = node or run.nodes.add(name, "Pod", "Pending", template["name"], boundary)
    node["inputs"] = {"parameters": template["inputs"]["parameters"]}
    if why := run.why_stopped(name):
        return run.nodes.mark(node, "Failed", why)
    if run.cluster.api.find("pods", pod_of(run, name, template), run.namespace) is None:
        _make(run, node, template)
    return node


def _make(run: Operation, node: Object, template: Object) -> None:
    api = run.cluster.api
    try:
        made = api.store.create(api.installed["pods"], run.namespace, _pod(run, node, template))
    except ApiError as error:
        # A quota, or a pod of a Workflow of the same name that is not quite gone: Argo tries again.
        if error.code not in (403, 409):
            raise
        node["message"] = error.message
        run.again_seconds.append(0.1)
    else:
        node.pop("message", None)
        run.cluster.kubelet.start(made)


def _pod(run: Operation, node: Object, template: Object) -> Object:
    own, shared = template.get("metadata") or {}, run.spec.get("podMetadata") or {}
    labels = {**shared.get("labels", {}), **own.get("labels", {}), WORKFLOW: run.name, COMPLETED: "false"}
    notes = {**shared.get("annotations", {}), **own.get("annotations", {}), TEMPLATE: json.dumps(template)}
    notes |= {"workflows.argoproj.io/node-id": node["id"], "workflows.argoproj.io/node-name": node["name"]}
    metadata = {"name": pod_of(run, node["name"], template), "labels": labels, "annotations": notes}
    metadata |= {"ownerReferences": [owner(run.workflow)]}
    main = {"image": "argoexec", "command": ["argoexec", "resource"]} if "resource" in template else template["container"]
    wait = [] if "resource" in template else [{"name": "wait", "image": "argoexec"}]
    spec = {key: run.spec[key] for key in _POD_FIELDS if key in run.spec}
    spec |= {key: template[key] for key in (*_POD_FIELDS, "activeDeadlineSeconds") if key in template}
    spec |= {
        "restartPolicy": "Never",
        "containers": [*wait, {**main, "name": "main"}, *template.get("sidecars", [])],
        "initContainers": [{"name": "init", "image": "argoexec"}, *template.get("initContainers", [])],
        "volumes": [*run.spec.get("volumes", []), *template.get("volumes", [])],
    }
    for patch in (run.spec.get("podSpecPatch"), template.get("podSpecPatch")):
        spec = patched(spec, json.loads(patch)) if patch else spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def owner(found: Object) -> Object:
    """Return the reference that makes an object go with its owner."""
    reference = {key: found[key] for key in ("apiVersion", "kind")} | {
        key: found["metadata"][key] for key in ("name", "uid")
    }
    return {**reference, "controller": True, "blockOwnerDeletion": True}


def patched(base: Any, patch: Any) -> Any:
    """Return `base` changed by a strategic merge patch: lists of named things are merged by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: patched(base.get(key), value) for key, value in patch.items()}
    if isinstance(base, list) and isinstance(patch, list) and all("name" in item for item in [*base, *patch]):
        known = {item["name"]: item for item in base}
        return list((known | {item["name"]: patched(known.get(item["name"], {}), item) for item in patch}).values())
    return patch


def observe(run: Operation) -> None:
    """Bring the nodes up to date with their pods, and end the pods that must not run any more."""
    for node in run.nodes.by_id.values():
        if node["type"] != "Pod" or is_fulfilled(node):
            continue
        pod = run.cluster.api.find("pods", pod_name(run.name, node["name"], node["templateName"]), run.namespace)
        if pod is None and node["phase"] == "Running":
            run.nodes.mark(node, "Error", "pod deleted")
        if pod is None or pod["metadata"]["ownerReferences"][0]["uid"] != run.uid:
            continue
        _read(run, node, pod)
        if not is_fulfilled(node) and (why := run.why_stopped(node["name"])):
            _stop(run, pod)
            run.nodes.mark(node, "Failed", why)


def _stop(run: Operation, pod: Object) -> None:
    if pod["status"]["phase"] == "Pending":
        run.cluster.api.delete("pods", pod["metadata"]["name"], run.namespace)
    else:
        run.cluster.kubelet.terminate(pod["metadata"]["uid"])


def _read(run: Operation, node: Object, pod: Object) -> None:
    status = pod["status"]
    if "nodeName" in pod["spec"]:
        node["hostNodeName"] = pod["spec"]["nodeName"]
    if note := pod["metadata"]["annotations"].get(OUTPUTS):
        node["outputs"] = json.loads(note)
    match status["phase"]:
        case "Pending":
            node["message"] = _pending_reason(status)
        case "Running":
            node.pop("message", None)
            run.nodes.mark(node, "Running")
        case "Succeeded":
            run.nodes.mark(node, "Succeeded")
        case "Failed":
            run.nodes.mark(node, *_failed_reason(status))


def _pending_reason(status: Object) -> str:
    waiting = [item["state"]["waiting"] for item in status.get("containerStatuses", []) if "waiting" in item["state"]]
    waiting += [item for item in status.get("conditions", []) if item.get("reason") == "Unschedulable"]
    return ": ".join(filter(None, (waiting[0]["reason"], waiting[0].get("message")))) if waiting else ""


def _failed_reason(status: Object) -> tuple[str, str]:
    """Return phase and message; a fault of Argo's own containers is an Error, one of the step's a failure."""
    if status.get("message"):
        return "Failed", status["message"]
    for item in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        ended = item["state"].get("terminated", {})
        is_sidecar = item["name"] not in ("main", *EXECUTOR)
        if ended.get("exitCode", 0) == 0 or (is_sidecar and ended["exitCode"] in (137, 143)):
            continue
        message = f"{item['name']}: {ended['reason']} (exit code {ended['exitCode']})"
        message += f": {ended['message']}" if ended.get("message") else ""
        return "Error" if item["name"] in EXECUTOR else "Failed", message
    return "Failed", ""


def collect(run: Operation) -> None:
    """Label the pods that have ended, or remove them if the Workflow wants so."""
    api, strategy = run.cluster.api, (run.spec.get("podGC") or {}).get("strategy", "")
    for node in run.nodes.by_id.values():
        if node["type"] != "Pod" or not is_fulfilled(node):
            continue
        name = pod_name(run.name, node["name"], node["templateName"])
        pod = api.find("pods", name, run.namespace)
        if pod is None or pod["status"]["phase"] not in ("Succeeded", "Failed"):
            continue
        is_over = strategy.startswith("OnPod") or run.status["phase"] in ("Succeeded", "Failed", "Error")
        is_good = node["phase"] == "Succeeded" or strategy.endswith("Completion")
        if strategy and is_over and is_good:
            api.delete("pods", name, run.namespace)
        elif pod["metadata"]["labels"].get(COMPLETED) != "true":
            api.patch("pods", name, run.namespace, {"metadata": {"labels": {COMPLETED: "true"}}})
