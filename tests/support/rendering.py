"""A small rendering that has a bit of everything, and ways to break it."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

Data = dict[str, Any]
GONE = object()
"""The value of a key that is taken away."""
IMAGE = f"registry.example.com/hubc/train@sha256:{'1' * 64}"
SECURITY: Data = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
POD_SECURITY: Data = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
OWN_LABELS = {"app.kubernetes.io/managed-by": "hubc", "hubc.dev/pipeline": "tides"}
LABELS = {**OWN_LABELS, "hubc.dev/step": "{{inputs.parameters.step}}"}
RETRY: Data = {
    "limit": 2,
    "retryPolicy": "Always",
    "expression": 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]',
    "backoff": {"duration": "1m", "factor": 2},
}
_FAILED = "status.conditions.0.type == Failed, status.conditions.1.type == Failed"
_FAILED = "status.conditions.0.type == Failed, status.conditions.1.type == Failed"
CONDITIONS = {
    "JobSet": ("status.terminalState == Completed", "status.terminalState == Failed"),
    "TrainJob": ("status.jobsStatus.0.name", _FAILED),
    "PyTorchJob": ("status.replicaStatuses.Master.succeeded > 0", _FAILED),
    "Job": ("status.completionTime", "status.conditions.0.type in (Failed, FailureTarget)"),
}
"""Kind -> success and failure."""


def container(**changes: Any) -> Data:
    amounts = {"cpu": "4", "memory": "16Gi"}
    found = {
        "image": IMAGE,
        "command": [
            "python",
            "-m",
            "hub_steps",
            "train",
            "--request",
            "s3://hubc/{{workflow.name}}/{{inputs.parameters.step}}",
        ],
        "env": [
            {"name": "HOME", "value": "/tmp"},
            {"name": "HUBC_RUN", "value": "{{workflow.name}}"},
            {"name": "TOKENIZERS_PARALLELISM", "value": "false"},
            {"name": "AWS_SECRET_ACCESS_KEY", "valueFrom": {"secretKeyRef": {"name": "store", "key": "secret-key"}}},
        ],
        "resources": {"requests": amounts, "limits": dict(amounts)},
        "securityContext": SECURITY,
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],
    }
    return deepcopy({**found, **changes})


def pod(**changes: Any) -> Data:
    found = {
        "serviceAccountName": "hubc-step",
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": POD_SECURITY,
        "containers": [{"name": "node", **container()}],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": "4Gi"}}],
    }
    return deepcopy({**found, **changes})


def _job() -> Data:
    return {
        "completionMode": "Indexed",
        "completions": 2,
        "parallelism": 2,
        "backoffLimit": 0,
        "activeDeadlineSeconds": 3600,
        "template": {
            "metadata": {"labels": {**LABELS, "workflows.argoproj.io/workflow": "{{workflow.name}}"}},
            "spec": pod(),
        },
    }


def _train_job() -> Data:
    node = container()
    patched = {
        "securityContext": POD_SECURITY,
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "containers": [{"name": "node", **{key: node[key] for key in ("securityContext", "volumeMounts")}}],
    }
    template = {"spec": {"template": {"metadata": {"labels": LABELS}, "spec": patched}}}
    return {
        "activeDeadlineSeconds": 3600,
        "runtimeRef": {"name": "hubc-torch"},
        "trainer": {
            "image": IMAGE, "numNodes": 2, "numProcPerNode": 1, "resourcesPerNode": node["resources"],
            **{key: node[key] for key in ("command", "env")},
        },
        "runtimePatches": [
            {
                "manager": "hubc.dev/hubc",
                "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [{"name": "node", "template": template}]}}},
            }
        ],
    }  # fmt: skip


def _replica(replicas: int) -> Data:
    spec = {key: value for key, value in pod().items() if key != "restartPolicy"}
    return {"replicas": replicas, "restartPolicy": "OnFailure", "template": {"metadata": {"labels": LABELS}, "spec": spec}}


def training(kind: str) -> Data:
    """Return a training on two nodes."""
    versions = {"JobSet": "jobset.x-k8s.io/v1alpha2", "TrainJob": "trainer.kubeflow.org/v1alpha1",
                "PyTorchJob": "kubeflow.org/v1", "Job": "batch/v1"}  # fmt: skip
    specs: dict[str, Data] = {
        "JobSet": {
            "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
            "failurePolicy": {"maxRestarts": 2, "rules": [{"name": "final", "action": "FailJobSet",
                                                           "onJobFailureReasons": ["DeadlineExceeded"]}]},
            "replicatedJobs": [{"name": "node", "replicas": 1, "template": {"spec": _job()}}],
        },
        "TrainJob": _train_job(),
        "PyTorchJob": {
            "nprocPerNode": "1",
            "runPolicy": {"cleanPodPolicy": "None", "activeDeadlineSeconds": 3600, "backoffLimit": 2},
            "pytorchReplicaSpecs": {"Master": _replica(1), "Worker": _replica(1)},
        },
        "Job": _job(),
    }  # fmt: skip
    metadata = {"name": "{{inputs.parameters.job}}", "namespace": "hubc", "labels": LABELS}
    return deepcopy({"apiVersion": versions[kind], "kind": kind, "metadata": metadata, "spec": specs[kind]})


def _leaf(name: str, *parameters: str, **fields: Any) -> Data:
    return {
        "name": name,
        "inputs": {"parameters": [{"name": each} for each in parameters]},
        "retryStrategy": RETRY,
        **fields,
    }


def _prepare() -> Data:
    command = ["python", "-m", "hub_steps.prepare", "--plan", "/hubc/plan.json"]
    return {
        "name": "prepare",
        "inputs": {"artifacts": [{"name": "plan", "path": "/hubc/plan.json", "raw": {"data": '{"version": "x"}\n'}}]},
        "outputs": {"parameters": [{"name": n, "valueFrom": {"path": f"/tmp/todo/{n}"}} for n in ("data", "tune", "test")]},
        "container": container(command=command),
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        "retryStrategy": RETRY,
    }


def _task(name: str, template: str, depends: str, when: str = "tasks.prepare.outputs.parameters", **extra: str) -> Data:
    given = [{"name": "step", "value": name}, *({"name": key, "value": value} for key, value in extra.items())]
    found = {"name": name, "template": template, "when": f"{{{{{when}.{name}}}}} == run", "arguments": {"parameters": given}}
    return {**found, "depends": depends} if depends else found


def _templates(kind: str) -> list[Data]:
    inner = [{"name": "test", "value": "{{tasks.prepare.outputs.parameters.test}}"}]
    main = [
        {"name": "prepare", "template": "prepare"},
        _task("data", "plain", "prepare"),
        _task("tune", "train", "prepare && data", job="tides-tune-0123456789"),
        {"name": "variants-1", "template": "variants-1", "depends": "prepare && tune", "arguments": {"parameters": inner}},
    ]
    flags = ["jobs", "--selector=workflows.argoproj.io/workflow={{workflow.name}}", "--ignore-not-found"]
    status = [{"name": "status", "value": "{{workflow.status}}"}]
    report = ["python", "-m", "hub_steps.report", "--status", "{{inputs.parameters.status}}"]
    ends = [{"name": "delete-job", "template": "delete-job"},
            {"name": "report", "template": "report", "arguments": {"parameters": status}}]  # fmt: skip
    volumes = [{"name": "scratch", "emptyDir": {}}]
    server = {"name": "teacher", **container(command=["vllm", "serve", "/models/x"])}
    return [
        {"name": "pipeline", "dag": {"tasks": main}},
        {
            "name": "variants-1",
            "inputs": {"parameters": [{"name": "test"}]},
            "dag": {"tasks": [_task("test", "plain", "", "inputs.parameters")]},
        },
        _prepare(),
        _leaf("plain", "step", container=container(), volumes=volumes, sidecars=[server], activeDeadlineSeconds=3600,
              metadata={"labels": LABELS}, podSpecPatch='{"terminationGracePeriodSeconds": 120}'),
        _leaf("train-apply", "step", "job",
              resource={"action": "apply", "setOwnerReference": True, "manifest": json.dumps(training(kind))}),
        {"name": "exit", "dag": {"tasks": ends}},
        {"name": "delete-job", "resource": {"action": "delete", "flags": flags}, "retryStrategy": RETRY},
        _leaf("report", "status", container=container(command=report), volumes=volumes),
        *_waiting(kind),
    ]  # fmt: skip


def _waiting(kind: str) -> list[Data]:
    """Return the templates that make an object, wait for it, and read why it failed before it is made once more."""
    success, failure = CONDITIONS[kind]
    whole = training(kind)
    metadata = {key: whole["metadata"][key] for key in ("name", "namespace")}
    named = json.dumps({"apiVersion": whole["apiVersion"], "kind": kind, "metadata": metadata})
    given = {"parameters": [{"name": name, "value": f"{{{{inputs.parameters.{name}}}}}"} for name in ("step", "job")]}
    steps = [
        [{"name": "apply", "template": "train-apply", "arguments": given}],
        [{"name": "wait", "template": "train-wait", "arguments": given, "continueOn": {"failed": True}}],
        [{"name": "lost", "template": "train-lost", "arguments": given, "when": "{{steps.wait.status}} == Failed"}],
        [{"name": "again", "template": "train-apply", "arguments": given,
          "when": "'{{steps.lost.outputs.parameters.lost}}' != ''"}],
    ]  # fmt: skip
    lost = {"parameters": [{"name": "lost", "valueFrom": {"jsonPath": "{.status}", "default": ""}}]}
    conditions = {"successCondition": success, "failureCondition": failure}
    return [
        {"name": "train", "inputs": {"parameters": [{"name": "step"}, {"name": "job"}]}, "steps": steps},
        _leaf("train-wait", "step", "job", resource={"action": "get", "manifest": named, **conditions}),
        _leaf("train-lost", "step", "job", resource={"action": "get", "manifest": named}, outputs=lost),
    ]


def workflow(kind: str = "JobSet") -> Data:
    """Return a Workflow whose training runs as an object of a kind."""
    return deepcopy(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {
                "name": "tides-0123456789", "namespace": "hubc", "labels": OWN_LABELS,
                "annotations": {"workflows.argoproj.io/title": "tides on example-cluster"},
            },
            "spec": {
                "entrypoint": "pipeline",
                "onExit": "exit",
                "serviceAccountName": "hubc-step",
                "automountServiceAccountToken": False,
                "executor": {"serviceAccountName": "hubc-executor"},
                "securityContext": POD_SECURITY,
                "podMetadata": {"labels": OWN_LABELS},
                "podGC": {"strategy": "OnPodSuccess"},
                "ttlStrategy": {"secondsAfterCompletion": 86400},
                "activeDeadlineSeconds": 86400,
                "parallelism": 8,
                "synchronization": {"mutexes": [{"name": "hubc-tides"}]},
                "templates": _templates(kind),
            },
        }
    )  # fmt: skip


def wrapped(flow: Data) -> list[Data]:
    """Return a Workflow as a WorkflowTemplate, a Workflow that refers to it, and a CronWorkflow that does, too."""
    template = {**flow, "kind": "WorkflowTemplate"}
    referring = {"entrypoint": "pipeline", "workflowTemplateRef": {"name": flow["metadata"]["name"]}}
    schedule = {
        "schedules": ["0 3 * * 1"],
        "timezone": "Europe/Berlin",
        "concurrencyPolicy": "Forbid",
        "workflowSpec": referring,
    }
    cron = {**flow, "kind": "CronWorkflow", "metadata": {"name": "tides", "namespace": "hubc"}, "spec": schedule}
    return deepcopy([template, {**flow, "spec": referring}, cron])


def broken(document: Data, path: str, value: Any) -> Data:
    """Return a document with another value at a path, whose parts are keys, indices, and names of what stands in lists.

    `manifest` leads into the JSON of an object, unless it is the path's end; the index `+` adds to a list.
    """
    found = deepcopy(document)
    _put(found, path.split("/"), value)
    return found


def _put(data: Any, parts: list[str], value: Any) -> None:
    key = _key(data, parts[0])
    if len(parts) > 1 and parts[0] == "manifest":
        inner = json.loads(data[key])
        _put(inner, parts[1:], value)
        data[key] = json.dumps(inner)
    elif len(parts) > 1:
        _put(data[key], parts[1:], value)
    elif key == "+":
        data.append(value)
    elif value is GONE:
        del data[key]
    else:
        data[key] = value


def _key(data: Any, part: str) -> Any:
    if not isinstance(data, list) or part == "+":
        return part
    if part.isdecimal():
        return int(part)
    return next(number for number, each in enumerate(data) if each["name"] == part)
