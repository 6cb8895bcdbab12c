"""The pods that a rendering leads to, as objects that tools for pods can read: `pods(text)`.

Argo and the training operators make them on a cluster; here the same parts are put together as they stand in the
manifest, with tags such as `{{workflow.name}}` left in. What Argo adds of its own (its containers beside each step) is
not in it.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

Data = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
RUNTIME = ROOT / "argo/install/components/trainer/runtime.yaml"
WORKFLOW_LABEL = "workflows.argoproj.io/workflow"
_TAG = re.compile(r"\{\{.*?\}\}")
_OF_POD = ("volumes", "nodeSelector", "tolerations", "affinity")


def pods(text: str) -> list[Data]:
    """Return the pods of a rendered Workflow, WorkflowTemplate or CronWorkflow, each named like its template."""
    found = []
    for document in yaml.safe_load_all(text):
        spec = document["spec"].get("workflowSpec", document["spec"])
        for template in spec.get("templates", []):
            found += _of_template(document["metadata"]["namespace"], spec, template)
    return found


def to_yaml(pods: list[Data]) -> str:
    """Return pods as one YAML text without tags, which no tool for pods expects: they become the word `tag`."""
    return _TAG.sub("tag", yaml.safe_dump_all(pods, sort_keys=False, width=10_000))


def _of_template(namespace: str, spec: Data, template: Data) -> Iterator[Data]:
    manifest = template.get("resource", {}).get("manifest")
    if manifest:
        for labels, pod in _of_object(json.loads(manifest)):
            yield _pod(template["name"], namespace, labels, pod)
    elif "container" in template:
        labels = {WORKFLOW_LABEL: "{{workflow.name}}"}
        for metadata in (spec.get("podMetadata", {}), template.get("metadata", {})):
            labels |= metadata.get("labels", {})
        yield _pod(template["name"], namespace, labels, _of_container(spec, template))


def _pod(name: str, namespace: str, labels: Data, spec: Data) -> Data:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _of_container(spec: Data, template: Data) -> Data:
    """Return the pod that Argo makes of a container template."""
    shared = ("automountServiceAccountToken", "imagePullSecrets", "securityContext", "serviceAccountName")
    found = {key: spec[key] for key in shared if key in spec}
    found |= {key: template[key] for key in (*_OF_POD, "initContainers") if key in template}
    if "podPriorityClassName" in spec:
        found["priorityClassName"] = spec["podPriorityClassName"]
    found["restartPolicy"] = "Never"
    found["containers"] = [{"name": "main", **template["container"]}, *template.get("sidecars", [])]
    return found | json.loads(template.get("podSpecPatch", "{}"))


def _of_object(data: Data) -> Iterator[tuple[Data, Data]]:
    """Yield labels and spec of the pods of a training's object."""
    match data["kind"], data.get("spec"):
        case _, None:
            return
        case "Job", spec:
            yield _of_pod_template(spec["template"])
        case "JobSet", spec:
            for job in spec["replicatedJobs"]:
                yield _of_pod_template(job["template"]["spec"]["template"])
        case "PyTorchJob", spec:
            for replicas in spec["pytorchReplicaSpecs"].values():
                labels, pod = _of_pod_template(replicas["template"])
                yield labels, {**pod, "restartPolicy": replicas["restartPolicy"]}
        case "TrainJob", spec:
            yield _of_train_job(spec)


def _of_pod_template(template: Data) -> tuple[Data, Data]:
    return template.get("metadata", {}).get("labels", {}), template["spec"]


def _of_train_job(spec: Data) -> tuple[Data, Data]:
    """Return what Trainer makes of a TrainJob: the runtime's pod, what the TrainJob patches in it, and its trainer."""
    runtime = yaml.safe_load(RUNTIME.read_text(encoding="utf-8"))
    template = runtime["spec"]["template"]["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
    for patch in spec.get("runtimePatches", []):
        for job in patch["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"]:
            template = _merged(template, job["template"]["spec"]["template"])
    labels, pod = _of_pod_template(template)
    trainer = {key: value for key, value in spec["trainer"].items() if key in ("image", "command", "args", "env")}
    node = {"name": "node", **trainer, "resources": spec["trainer"].get("resourcesPerNode", {})}
    return labels, _merged(pod, {"containers": [node]})


def _merged(below: Any, above: Any) -> Any:
    """Return two parts of a manifest as one; members of a list belong together by their names."""
    if isinstance(below, dict) and isinstance(above, dict):
        return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}
    if isinstance(below, list) and isinstance(above, list) and all("name" in each for each in [*below, *above]):
        named = {each["name"]: each for each in below}
        named |= {each["name"]: _merged(named.get(each["name"]), each) for each in above}
        return list(named.values())
    return deepcopy(above)
