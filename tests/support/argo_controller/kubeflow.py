"""Kubeflow's controllers: Trainer's TrainJob, which becomes a JobSet, and the older operator's PyTorchJob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argo_controller.jobs import INDEX, condition, has, owned, set_status, start_pod
from argo_controller.leaves import owner, patched
from argo_controller.peers import meeting, with_notes

if TYPE_CHECKING:
    from argo_controller.cluster import Cluster

Object = dict[str, Any]
PREFIX = "training.kubeflow.org"
TRAINER_PORT = 29500
OPERATOR_PORT = 23456


def reconcile_trainjob(cluster: Cluster, found: Object) -> float | None:
    """Bring a TrainJob a step further."""
    name, namespace, uid = (found["metadata"][key] for key in ("name", "namespace", "uid"))
    if has(found, "Complete", "Failed"):
        return None
    left = cluster.seconds_left(uid, found["spec"].get("activeDeadlineSeconds"))
    if left is not None and left <= 0:
        _condition(cluster, "trainjobs", found, condition("Failed", "DeadlineExceeded", "TrainJob exceeded its deadline"))
        cluster.api.delete("jobsets", name, namespace)
        return None
    job_set = next(iter(owned(cluster, "jobsets", found)), None)
    if job_set is None:
        metadata = {"name": name, "labels": found["metadata"].get("labels", {}), "ownerReferences": [owner(found)]}
        cluster.api.create("jobsets", {"metadata": metadata, "spec": _job_set(cluster, found)}, namespace)
        return left
    rows = job_set.get("status", {}).get("replicatedJobsStatus", [])
    set_status(cluster, "trainjobs", found, jobsStatus=rows)
    if ended := has(job_set, "Completed", "Failed"):
        kind = "Complete" if ended["type"] == "Completed" else "Failed"
        _condition(cluster, "trainjobs", found, condition(kind, ended["reason"], ended["message"]))
    return left


def _job_set(cluster: Cluster, found: Object) -> Object:
    """Return the JobSet's spec: the runtime's, patched, with what the TrainJob says about the trainer."""
    runtime = cluster.api.get("clustertrainingruntimes", found["spec"]["runtimeRef"]["name"])
    spec: Object = runtime["spec"]["template"]["spec"]
    for patch in found["spec"].get("runtimePatches", []):
        spec = patched(spec, patch["trainingRuntimeSpec"]["template"]["spec"])
    trainer = found["spec"].get("trainer") or {}
    nodes = trainer.get("numNodes", 1)
    name = found["metadata"]["name"]
    peers = [
        _variable("PET_NNODES", nodes),
        _variable("PET_NPROC_PER_NODE", trainer.get("numProcPerNode", "auto")),
        {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}},
        _variable("PET_MASTER_ADDR", f"{name}-node-0-0.{name}"),
        _variable("PET_MASTER_PORT", TRAINER_PORT),
    ]
    own = {key: trainer[key] for key in ("image", "command", "args") if key in trainer}
    own |= {"resources": trainer["resourcesPerNode"]} if "resourcesPerNode" in trainer else {}
    pod = {"containers": [{"name": "node", **own, "env": [*trainer.get("env", []), *peers]}]}
    job = {"parallelism": nodes, "completions": nodes, "completionMode": "Indexed", "template": {"spec": pod}}
    spec = patched(spec, {"replicatedJobs": [{"name": "node", "template": {"spec": job}}]})
    return {**spec, "suspend": bool(found["spec"].get("suspend"))}


def reconcile_pytorchjob(cluster: Cluster, found: Object) -> float | None:
    """Bring a PyTorchJob a step further."""
    pods = owned(cluster, "pods", found)
    policy = found["spec"].get("runPolicy") or {}
    if has(found, "Succeeded", "Failed") or policy.get("suspend"):
        if policy.get("suspend") or policy.get("cleanPodPolicy", "None") != "None":
            _end(cluster, pods)
        return None
    left = cluster.seconds_left(found["metadata"]["uid"], policy.get("activeDeadlineSeconds"))
    if not pods:
        _condition(cluster, "pytorchjobs", found, condition("Created", "PyTorchJobCreated"))
        _start(cluster, found)
        return left
    counts = {kind: _count(pods, kind.lower()) for kind in found["spec"]["pytorchReplicaSpecs"]}
    set_status(cluster, "pytorchjobs", found, replicaStatuses=counts)
    if why := _ending(counts, len(pods), _num_pods(found), is_late=left is not None and left <= 0):
        _condition(cluster, "pytorchjobs", found, why)
        return 0.0
    if any(count["active"] for count in counts.values()) and not has(found, "Running"):
        _condition(cluster, "pytorchjobs", found, condition("Running", "PyTorchJobRunning"))
    return left


def _ending(counts: Object, present: int, expected: int, *, is_late: bool) -> Object | None:
    if any(count["failed"] for count in counts.values()) or present < expected:
        return condition("Failed", "PyTorchJobFailed", "PyTorchJob is failed because a replica failed.")
    if counts["Master"]["succeeded"]:
        return condition("Succeeded", "PyTorchJobSucceeded")
    return condition("Failed", "DeadlineExceeded", "PyTorchJob was active longer than its deadline") if is_late else None


def _count(pods: list[Object], kind: str) -> Object:
    phases = [pod["status"]["phase"] for pod in pods if pod["metadata"]["labels"][f"{PREFIX}/replica-type"] == kind]
    return {"active": phases.count("Running"), "succeeded": phases.count("Succeeded"), "failed": phases.count("Failed")}


def _num_pods(found: Object) -> int:
    return sum(row.get("replicas", 1) for row in found["spec"]["pytorchReplicaSpecs"].values())


def _start(cluster: Cluster, found: Object) -> None:
    """Start all pods; their peers are called as the services that the operator makes."""
    name, namespace, uid = (found["metadata"][key] for key in ("name", "namespace", "uid"))
    rows = found["spec"]["pytorchReplicaSpecs"]
    count, processes = _num_pods(found), found["spec"].get("nprocPerNode", "auto")
    titles = [(kind, number) for kind in ("Master", "Worker") if kind in rows for number in range(rows[kind]["replicas"])]
    for rank, (kind, number) in enumerate(titles):
        told = {"MASTER_ADDR": f"{name}-master-0", "MASTER_PORT": OPERATOR_PORT, "WORLD_SIZE": count, "RANK": rank}
        told |= {"PET_MASTER_ADDR": f"{name}-master-0", "PET_MASTER_PORT": OPERATOR_PORT, "PET_NODE_RANK": rank}
        told |= {"PET_NNODES": count, "PET_NPROC_PER_NODE": processes}
        template = _with_variables(rows[kind]["template"], told)
        template = with_notes(template, {}, meeting(cluster, uid, [f"{name}-master-0"], namespace, [template]))
        labels = {f"{PREFIX}/job-name": name, f"{PREFIX}/replica-type": kind.lower(), f"{PREFIX}/replica-index": str(number)}
        labels |= {f"{PREFIX}/job-role": "master"} if kind == "Master" else {}
        start_pod(cluster, "pytorchjobs", found, template, f"{name}-{kind.lower()}-{number}", labels, is_named_so=True)


def _with_variables(template: Object, told: Object) -> Object:
    variables = [_variable(key, value) for key, value in told.items()]
    containers = [{**item, "env": [*item.get("env", []), *variables]} for item in template["spec"]["containers"]]
    return {**template, "spec": {**template["spec"], "containers": containers}}


def _end(cluster: Cluster, pods: list[Object]) -> None:
    for pod in pods:
        if pod["status"]["phase"] in ("Pending", "Running") and "deletionTimestamp" not in pod["metadata"]:
            cluster.api.delete("pods", pod["metadata"]["name"], pod["metadata"]["namespace"])


def _condition(cluster: Cluster, plural: str, found: Object, new: Object) -> None:
    """Add a condition behind those that are there."""
    old = cluster.api.get(plural, found["metadata"]["name"], found["metadata"]["namespace"])
    set_status(cluster, plural, found, conditions=[*old.get("status", {}).get("conditions", []), new])


def _variable(name: str, value: object) -> Object:
    return {"name": name, "value": str(value)}
