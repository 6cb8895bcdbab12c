"""The controller for tests runs trainings on several nodes as their real controllers do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from workflow_run import ended, is_running, log, node, python, submit, task, wait_for_pod

if TYPE_CHECKING:
    from pathlib import Path

    from argo_controller import Controller
    from kube import KubeApi

Object = dict[str, Any]
RANK = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}
LABELS = {"workflows.argoproj.io/workflow": "w"}
MEET = """
import os, socket, sys, time
where = (os.environ["PET_MASTER_ADDR"], int(os.environ["PET_MASTER_PORT"]))
if os.environ["PET_NODE_RANK"] == "0":
    with socket.create_server(where) as server:
        server.accept()[0].sendall(b"hello")
else:
    for _ in range(200):
        try:
            print(socket.create_connection(where).recv(5).decode()); break
        except OSError:
            time.sleep(0.05)
"""
HANG = "import time; print('up', flush=True); time.sleep(60)"
CONDITIONS = {
    "jobsets": ("status.terminalState == Completed", "status.terminalState == Failed"),
    "jobs": ("status.completionTime", "status.conditions.0.type in (Failed, FailureTarget)"),
    "trainjobs": ("status.conditions.0.type == Complete", "status.conditions.0.type == Failed"),
    "pytorchjobs": ("status.replicaStatuses.Master.succeeded > 0",
                    "status.conditions.1.type == Failed,status.conditions.2.type == Failed"),
}  # fmt: skip


def pod_template(code: str, name: str, env: list[Object]) -> Object:
    container = {"name": name, "image": "x", "command": ["python", "-c", code], "env": env}
    return {"metadata": {"labels": LABELS}, "spec": {"restartPolicy": "Never", "containers": [container]}}


def peers(master: str) -> list[Object]:
    values = [("PET_MASTER_ADDR", master), ("PET_MASTER_PORT", "29500")]
    return [{"name": "PET_NODE_RANK", **RANK}, *({"name": key, "value": value} for key, value in values)]


def indexed(code: str, master: str) -> Object:
    rules = [{"action": "FailJob", "onExitCodes": {"containerName": "node", "operator": "In", "values": [2]}}]
    return {"completions": 2, "parallelism": 2, "completionMode": "Indexed", "backoffLimit": 0,
            "podFailurePolicy": {"rules": rules}, "template": pod_template(code, "node", peers(master))}  # fmt: skip


def job(kind: str, code: str) -> Object:
    """Return the manifest of a training `t` on two nodes."""
    spec: Object
    match kind:
        case "jobsets":
            row = {"name": "node", "replicas": 1, "template": {"spec": indexed(code, "t-node-0-0.t")}}
            rules = [{"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}]
            policy = {"maxRestarts": 1, "rules": rules}
            spec = {"replicatedJobs": [row], "failurePolicy": policy}
            return {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "spec": spec}
        case "jobs":
            spec = indexed(code, "t-0.t")
            spec["template"]["spec"]["subdomain"] = "t"
            return {"apiVersion": "batch/v1", "kind": "Job", "spec": spec}
        case "pytorchjobs":
            rows = {"replicas": 1, "restartPolicy": "Never", "template": pod_template(code, "pytorch", [])}
            spec = {"nprocPerNode": "1", "pytorchReplicaSpecs": {"Master": rows, "Worker": rows}}
            return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": spec}
    trainer = {"image": "x", "command": ["python", "-c", code], "numNodes": 2, "numProcPerNode": 1}
    template = {"metadata": {"labels": LABELS}}
    patch = {"replicatedJobs": [{"name": "node", "template": {"spec": {"template": template}}}]}
    patches = [{"manager": "a.b/c", "trainingRuntimeSpec": {"template": {"spec": patch}}}]
    spec = {"runtimeRef": {"name": "torch"}, "trainer": trainer, "runtimePatches": patches}
    return {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec}


def train(api: KubeApi, kind: str, code: str, **spec: Any) -> None:
    """Submit a Workflow that runs a training."""
    if kind == "trainjobs":
        pod = {"spec": {"restartPolicy": "Never", "containers": [{"name": "node"}]}}
        rows = [{"name": "node", "replicas": 1, "template": {"spec": {"backoffLimit": 0, "template": pod}}}]
        runtime = {"template": {"spec": {"replicatedJobs": rows}}}
        api.create("clustertrainingruntimes", {"metadata": {"name": "torch"}, "spec": runtime})
    good, bad = CONDITIONS[kind]
    manifest = json.dumps(job(kind, code) | {"metadata": {"name": "{{inputs.parameters.job}}", "labels": LABELS}})
    resource = {"action": "apply", "setOwnerReference": True, "manifest": manifest,
                "successCondition": good, "failureCondition": bad}  # fmt: skip
    retry = {"limit": 2, "retryPolicy": "Always", "expression": 'lastRetry.status == "Error"'}
    leaf = {"name": "train", "inputs": {"parameters": [{"name": "job"}]}, "resource": resource, "retryStrategy": retry}
    arguments = {"parameters": [{"name": "job", "value": "t"}]}
    submit(api, {"name": "main", "steps": [[task("train", arguments=arguments)]]}, leaf, **spec)


def trainers(api: KubeApi) -> list[Object]:
    return [pod for pod in api.list("pods", "team") if "train" not in pod["metadata"]["name"]]


@pytest.mark.parametrize("kind", sorted(CONDITIONS))
def test_nodes_meet(api: KubeApi, controller: Controller, kind: str) -> None:
    train(api, kind, MEET)
    assert ended(api)["phase"] == "Succeeded"
    api.wait_until(lambda: all(pod["status"]["phase"] == "Succeeded" for pod in trainers(api)))
    pods = trainers(api)
    assert len(pods) == 2
    assert all(pod["metadata"]["labels"].items() >= LABELS.items() for pod in pods)
    container = "pytorch" if kind == "pytorchjobs" else "node"
    assert [line for pod in pods for line in log(api, pod["metadata"]["name"], container)] == ["hello"]


@pytest.mark.parametrize("kind", sorted(CONDITIONS))
def test_a_lost_node_ends_all(api: KubeApi, controller: Controller, kind: str) -> None:
    rank = "import os; raise SystemExit(2) if os.environ['PET_NODE_RANK'] == '1' else None; "
    train(api, kind, rank + HANG)
    status = ended(api)
    assert status["phase"] == "Failed"
    message = status["shown"]["train"]["message"]
    assert message == "retryStrategy.expression evaluated to false"
    attempt = status["shown"]["train(0)"]
    assert "failure condition 'status." in attempt["message"] and attempt["outputs"]["exitCode"] == "64"
    api.wait_until(lambda: not any(map(is_running, trainers(api))))


def test_a_jobset_restarts_all_nodes(api: KubeApi, controller: Controller) -> None:
    code = "import os; first = os.environ['PET_NODE_RANK'] == '0' and not os.path.exists('/storage/mark'); "
    train(api, "jobsets", code + "first and open('/storage/mark', 'w'); raise SystemExit(first)")
    assert ended(api)["phase"] == "Succeeded"
    found = api.get("jobsets", "t", "team")["status"]
    assert (found["restarts"], found["terminalState"]) == (1, "Completed")


def test_a_lost_executor_finds_the_job_again(api: KubeApi, controller: Controller) -> None:
    train(api, "jobsets", "import os, time\nwhile not os.path.exists('/storage/go'): time.sleep(0.02)")
    wait_for_pod(api, lambda pod: is_running(pod) and pod in trainers(api))
    api.wait_until(lambda: node(api, "w", "train(0)").get("phase") == "Running")
    uid = api.get("jobsets", "t", "team")["metadata"]["uid"]
    executor = next(pod for pod in api.list("pods", "team") if pod not in trainers(api))
    controller.kill_executor(executor["metadata"]["name"], "team")
    api.wait_until(lambda: node(api, "w", "train(1)").get("phase") == "Running")
    (controller.kubelet.shared["/storage"] / "go").touch()
    status = ended(api)
    assert (status["phase"], status["shown"]["train(0)"]["message"]) == ("Succeeded", "pod deleted")
    assert api.get("jobsets", "t", "team")["metadata"]["uid"] == uid


def test_a_suspended_jobset_waits(api: KubeApi, controller: Controller) -> None:
    manifest = job("jobsets", "pass")
    manifest["spec"]["suspend"] = True
    api.create("jobsets", manifest | {"metadata": {"name": "t"}}, "team")
    api.wait_until(lambda: "conditions" in api.get("jobsets", "t", "team").get("status", {}))
    api.wait_until(lambda: "conditions" in api.get("jobs", "t-node-0", "team").get("status", {}))
    assert api.list("pods", "team") == []
    api.patch("jobsets", "t", "team", {"spec": {"suspend": False}})
    api.wait_until(lambda: api.get("jobsets", "t", "team")["status"].get("terminalState") == "Completed")


def test_the_exit_handler_deletes(api: KubeApi, controller: Controller) -> None:
    flags = ["jobsets.jobset.x-k8s.io", "--selector=workflows.argoproj.io/workflow={{workflow.name}}", "--ignore-not-found"]
    clean = {"name": "clean", "resource": {"action": "delete", "flags": flags}}
    manifest = json.dumps(job("jobsets", HANG) | {"metadata": {"name": "t", "labels": LABELS}})
    start = {"name": "main", "resource": {"action": "create", "manifest": manifest}}
    submit(api, start, clean, onExit="clean")
    assert ended(api)["phase"] == "Succeeded"
    assert api.list("jobsets", "team") == []
    api.wait_until(lambda: not trainers(api) or all(pod["metadata"]["name"].startswith("w") for pod in trainers(api)))


def test_reads_outputs_of_objects_and_goes_on(api: KubeApi, controller: Controller, tmp_path: Path) -> None:
    reasons = '{.status.conditions[?(@.reason=="BackoffLimitExceeded")].type}'
    status = {"conditions": [{"type": "A", "reason": "B", "status": "True"},
                             {"type": "Failed", "reason": "BackoffLimitExceeded", "status": "True"}],
              "replicas": {"x": {"failed": 1}, "y": {}}}  # fmt: skip
    given = {"metadata": {"name": "p"}, "spec": {"runPolicy": {"suspend": True}}, "status": status}
    api.create("pytorchjobs", given, "team")
    manifest = json.dumps({"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": {"name": "p"}})
    paths = {"a": reasons, "b": "{.status.replicas.*.failed}", "c": "{.status.nothing}"}
    outputs = {"parameters": [{"name": key, "valueFrom": {"jsonPath": path, "default": ""}} for key, path in paths.items()]}
    read = {"name": "read", "resource": {"action": "get", "manifest": manifest}, "outputs": outputs}
    tags = "|".join(f"{{{{steps.read.outputs.parameters.{key}}}}}" for key in paths)
    when = "'{{steps.read.outputs.parameters.a}}' != '' && {{steps.bad.status}} == Failed"
    text = {"parameters": [{"name": "text", "value": tags}]}
    bad = task("bad", continueOn={"failed": True})
    groups = [[task("read"), bad], [task("last", when=when, arguments=text)]]
    last = python("last", "print('{{inputs.parameters.text}}')", inputs={"parameters": [{"name": "text"}]})
    submit(api, {"name": "main", "steps": groups}, read, python("bad", "raise SystemExit(1)"), last)
    assert ended(api)["phase"] == "Succeeded"
    lines = [line.text for (_, name), rows in api.logs.lines.items() for line in rows if name == "main"]
    assert "Failed|1|" in lines
