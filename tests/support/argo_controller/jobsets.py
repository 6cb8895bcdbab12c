"""The JobSet controller: Jobs that start, restart and end together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argo_controller.jobs import condition, has, owned, set_status
from argo_controller.leaves import owner
from argo_controller.peers import meeting, with_notes

if TYPE_CHECKING:
    from argo_controller.cluster import Cluster

Object = dict[str, Any]
PREFIX = "jobset.sigs.k8s.io"
ATTEMPT = f"{PREFIX}/restart-attempt"


def reconcile_jobset(cluster: Cluster, found: Object) -> float | None:
    """Bring a JobSet a step further."""
    status = found.get("status", {})
    if status.get("terminalState"):
        return None
    every = owned(cluster, "jobs", found)
    restarts = status.get("restarts", 0)
    jobs = [job for job in every if job["metadata"]["labels"][ATTEMPT] == str(restarts)]
    old = [job for job in every if job not in jobs]
    _delete(cluster, old)
    if old:
        return None
    if not jobs:
        _create(cluster, found, restarts)
    for job in jobs:
        if bool(job["spec"].get("suspend")) != bool(found["spec"].get("suspend")):
            change = {"spec": {"suspend": bool(found["spec"].get("suspend"))}}
            cluster.api.patch("jobs", job["metadata"]["name"], job["metadata"]["namespace"], change)
    _write_status(cluster, found, jobs, restarts)
    return None


def _write_status(cluster: Cluster, found: Object, jobs: list[Object], restarts: int) -> None:
    rows = [_row(item["name"], jobs) for item in found["spec"]["replicatedJobs"]]
    told: Object = {"replicatedJobsStatus": rows, "restarts": restarts}
    if found["spec"].get("suspend"):
        told["conditions"] = [condition("Suspended", "SuspendedJobs", "jobset is suspended")]
    failed = next((job for job in jobs if has(job, "Failed")), None)
    if failed:
        told |= _after_failure(found, failed, restarts)
    elif jobs and all(has(job, "Complete") for job in jobs):
        done = condition("Completed", "AllJobsCompleted", "jobset completed successfully")
        told |= {"conditions": [done], "terminalState": "Completed"}
    set_status(cluster, "jobsets", found, **_unchanged_times(found, told))
    if told.get("terminalState") == "Failed":
        _delete(cluster, [job for job in jobs if not has(job, "Failed", "Complete")])


def _after_failure(found: Object, job: Object, restarts: int) -> Object:
    policy = found["spec"].get("failurePolicy") or {}
    failing = has(job, "Failed") or {}
    name = job["metadata"]["name"]
    for rule in policy.get("rules", []):
        if rule["action"] == "FailJobSet" and failing["reason"] in rule.get("onJobFailureReasons", [failing["reason"]]):
            why = condition("Failed", "FailJobSetFailurePolicyAction", f"jobset failed: job {name}: {failing['message']}")
            return {"conditions": [why], "terminalState": "Failed"}
    if restarts < policy.get("maxRestarts", 0):
        return {"restarts": restarts + 1, "restartsCountTowardsMax": restarts + 1}
    reason = "ReachedMaxRestarts" if policy.get("maxRestarts") else "FailedJobs"
    why = condition("Failed", reason, f"jobset failed due to one or more job failures (first failed job: {name})")
    return {"conditions": [why], "terminalState": "Failed"}


def _unchanged_times(found: Object, told: Object) -> Object:
    """Leave conditions that only differ in their time as they were, so that writing comes to an end."""
    old = found.get("status", {}).get("conditions", [])
    known = {(item["type"], item["reason"]): item for item in old}
    rows = [known.get((item["type"], item["reason"]), item) for item in told.get("conditions", [])]
    return told | ({"conditions": rows} if rows or old else {})


def _row(name: str, jobs: list[Object]) -> Object:
    mine = [job for job in jobs if job["metadata"]["labels"][f"{PREFIX}/replicatedjob-name"] == name]
    active = [job for job in mine if not has(job, "Failed", "Complete")]
    return {
        "name": name, "active": sum(bool(job.get("status", {}).get("active")) for job in active),
        "ready": sum(_is_ready(job) for job in active), "succeeded": sum(bool(has(job, "Complete")) for job in mine),
        "failed": sum(bool(has(job, "Failed")) for job in mine),
        "suspended": sum(bool(has(job, "Suspended")) for job in mine),
    }  # fmt: skip


def _is_ready(job: Object) -> bool:
    status = job.get("status", {})
    return bool(status.get("ready", 0) + status.get("succeeded", 0) >= job["spec"].get("parallelism", 1))


def _create(cluster: Cluster, found: Object, restarts: int) -> None:
    """Create the service and the Jobs; all that the pods call by name is on this machine."""
    name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
    subdomain = (found["spec"].get("network") or {}).get("subdomain", name)
    if cluster.api.find("services", subdomain, namespace) is None:
        service = {"metadata": {"name": subdomain, "ownerReferences": [owner(found)]}, "spec": {"clusterIP": "None"}}
        cluster.api.create("services", service, namespace)
    rows = [(row, number) for row in found["spec"]["replicatedJobs"] for number in range(row.get("replicas", 1))]
    hosts = [f"{name}-{row['name']}-{number}-{pod}.{subdomain}" for row, number in rows for pod in range(_num_pods(row))]
    templates = [row["template"]["spec"]["template"] for row, _ in rows]
    notes = meeting(cluster, f"{found['metadata']['uid']}/{restarts}", hosts, namespace, templates)
    for row, number in rows:
        job = f"{name}-{row['name']}-{number}"
        labels = {f"{PREFIX}/jobset-name": name, f"{PREFIX}/replicatedjob-name": row["name"],
                  f"{PREFIX}/job-index": str(number), ATTEMPT: str(restarts)}  # fmt: skip
        spec = {**row["template"]["spec"], "suspend": bool(found["spec"].get("suspend"))}
        spec["template"] = with_notes(spec["template"], labels, notes | labels)
        spec["template"]["spec"] = {"subdomain": subdomain, **spec["template"]["spec"]}
        given = row["template"].get("metadata", {})
        metadata = {"name": job, "labels": {**given.get("labels", {}), **labels}, "ownerReferences": [owner(found)]}
        cluster.api.create("jobs", {"metadata": metadata, "spec": spec}, namespace)


def _num_pods(row: Object) -> int:
    spec = row["template"]["spec"]
    return int(spec.get("completions", spec.get("parallelism", 1)))


def _delete(cluster: Cluster, jobs: list[Object]) -> None:
    for job in jobs:
        if "deletionTimestamp" not in job["metadata"]:
            name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
            cluster.api.delete("jobs", name, namespace, propagationPolicy="Foreground")
