"""The Job controller: indexed pods, restarts, deadlines, suspension."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from argo_controller.leaves import owner
from argo_controller.nodes import now
from argo_controller.peers import meeting, with_notes
from argo_controller.places import HOSTS

if TYPE_CHECKING:
    from argo_controller.cluster import Cluster

Object = dict[str, Any]
INDEX = "batch.kubernetes.io/job-completion-index"


def condition(type: str, reason: str = "", message: str = "", status: str = "True") -> Object:
    """Return a condition as controllers write them."""
    return {"type": type, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}


def owned(cluster: Cluster, plural: str, found: Object) -> list[Object]:
    """Return the objects of a kind that an object owns."""
    uid = found["metadata"]["uid"]
    every = cluster.api.list(plural, found["metadata"]["namespace"])
    return [item for item in every if any(row["uid"] == uid for row in item["metadata"].get("ownerReferences", []))]


def has(found: Object, *types: str) -> Object | None:
    """Return the first condition of one of the types that holds."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((item for item in conditions if item["type"] in types and item["status"] == "True"), None)


def set_status(cluster: Cluster, plural: str, found: Object, **status: Any) -> None:
    """Change an object's status."""
    cluster.api.patch(plural, found["metadata"]["name"], found["metadata"]["namespace"], {"status": status})


def reconcile_job(cluster: Cluster, job: Object) -> float | None:
    """Bring a Job a step further; return after how many seconds to look again, if at all."""
    if has(job, "Complete", "Failed"):
        return None
    pods = owned(cluster, "pods", job)
    active = [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
    if job["spec"].get("suspend") or (failing := has(job, "FailureTarget")):
        _delete(cluster, active)
        if job["spec"].get("suspend"):
            set_status(cluster, "jobs", job, active=0, ready=0, conditions=[condition("Suspended", "JobSuspended")])
        elif failing and not active:
            failed = condition("Failed", failing["reason"], failing["message"])
            set_status(cluster, "jobs", job, active=0, ready=0, conditions=[*job["status"]["conditions"], failed])
        return None
    left = cluster.seconds_left(job["metadata"]["uid"], job["spec"].get("activeDeadlineSeconds"))
    if why := _why_failing(job, pods, left):
        set_status(cluster, "jobs", job, conditions=[condition("FailureTarget", *why)])
        return 0.0
    return _go_on(cluster, job, pods, active) or left


def _why_failing(job: Object, pods: list[Object], left_seconds: float | None) -> tuple[str, str] | None:
    if left_seconds is not None and left_seconds <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    failed = [pod for pod in pods if pod["status"]["phase"] == "Failed"]
    for pod in failed:
        for rule in job["spec"].get("podFailurePolicy", {}).get("rules", []):
            if rule["action"] == "FailJob" and _matches(pod, rule.get("onExitCodes", {})):
                return "PodFailurePolicy", f"Container of pod {pod['metadata']['name']} failed with an exit code of a rule"
    gone = job.get("status", {}).get("failed", 0)
    if max(len(failed), gone) > job["spec"].get("backoffLimit", 6):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    return None


def _matches(pod: Object, wanted: Object) -> bool:
    codes = [
        item["state"]["terminated"]["exitCode"]
        for item in pod["status"].get("containerStatuses", [])
        if "terminated" in item["state"] and wanted.get("containerName") in (None, item["name"])
    ]
    return any((code in wanted.get("values", [])) == (wanted.get("operator") == "In") for code in codes if code)


def _go_on(cluster: Cluster, job: Object, pods: list[Object], active: list[Object]) -> float | None:
    """Start the pods that are missing, and count the others."""
    count = job["spec"].get("completions", job["spec"].get("parallelism", 1))
    done = {pod["metadata"]["annotations"][INDEX] for pod in pods if pod["status"]["phase"] == "Succeeded"}
    busy = {pod["metadata"]["annotations"][INDEX] for pod in active}
    room = job["spec"].get("parallelism", 1) - len(active)
    missing = [index for index in range(count) if str(index) not in done | busy][: max(0, room)]
    template = _template(cluster, job, count)
    for index in missing:
        start_pod(cluster, "jobs", job, template, f"{job['metadata']['name']}-{index}", labels={
            "batch.kubernetes.io/job-name": job["metadata"]["name"], "job-name": job["metadata"]["name"], INDEX: str(index),
        })  # fmt: skip
    is_over = len(done) == count
    seen = [condition("SuccessCriteriaMet", "CompletionsReached"), condition("Complete", "CompletionsReached")]
    set_status(
        cluster, "jobs", job, startTime=job.get("status", {}).get("startTime", now()),
        active=len(active) + len(missing), ready=sum(pod["status"]["phase"] == "Running" for pod in active),
        succeeded=len(done), failed=sum(pod["status"]["phase"] == "Failed" for pod in pods),
        completedIndexes=",".join(sorted(done)), conditions=seen if is_over else [],
        **({"completionTime": now()} if is_over else {}),
    )  # fmt: skip
    return None


def _template(cluster: Cluster, job: Object, count: int) -> Object:
    """Return the pod template; the pods of a Job that stands alone are told here where they meet."""
    template: Object = job["spec"]["template"]
    if HOSTS in template.get("metadata", {}).get("annotations", {}) or "subdomain" not in template["spec"]:
        return template
    name, namespace, uid = (job["metadata"][key] for key in ("name", "namespace", "uid"))
    hosts = [f"{name}-{index}.{template['spec']['subdomain']}" for index in range(count)]
    return with_notes(template, {}, meeting(cluster, uid, hosts, namespace, [template]))


def _delete(cluster: Cluster, pods: list[Object]) -> None:
    for pod in pods:
        if "deletionTimestamp" not in pod["metadata"]:
            cluster.api.delete("pods", pod["metadata"]["name"], pod["metadata"]["namespace"])


def start_pod(
    cluster: Cluster, plural: str, parent: Object, template: Object, name: str, labels: Object, *, is_named_so: bool = False
) -> None:
    """Create a pod of a job and run it; its name ends in random letters unless it `is_named_so`."""
    given = template.get("metadata", {})
    end = "" if is_named_so else "-" + "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))  # noqa: S311
    notes = given.get("annotations", {}) | ({INDEX: labels[INDEX]} if INDEX in labels else {})
    metadata = {"name": name + end, "labels": given.get("labels", {}) | labels, "annotations": notes}
    metadata |= {"ownerReferences": [owner({**parent, "kind": cluster.api.installed[plural].kind})]}
    spec = {"restartPolicy": "Never", "hostname": name, **template["spec"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    api = cluster.api
    cluster.kubelet.start(api.store.create(api.installed["pods"], parent["metadata"]["namespace"], pod))
