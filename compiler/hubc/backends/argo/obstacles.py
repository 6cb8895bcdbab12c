"""Why pods do not even exist yet: warnings of Kubernetes' controllers, and the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.kinds import EVENTS, Kind
from hubc.backends.argo.pods import one_line
from hubc.backends.argo.refusals import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Object

KUEUE = "kueue.x-k8s.io"


def warnings(cluster: Cluster) -> dict[str, str]:
    """Return the newest warning about each object of the namespace, by the object's name."""
    events = cluster.find_all(EVENTS, fields="type=Warning")
    return {
        event["involvedObject"].get("name", ""): one_line(f"{event.get('reason', '')}: {event.get('message', '')}")
        for event in sorted(events, key=_time)
    }


def about(job: str, warnings: Mapping[str, str]) -> str:
    """Return the warning about a training object, or about what it made of itself."""
    names = [name for name in warnings if name == job or name.startswith(f"{job}-")]
    return warnings[names[-1]] if job and names else ""


def queued(cluster: Cluster, job: str) -> str:
    """Return why Kueue holds a training object back, or nothing if it does not."""
    group = Kind("workloads", KUEUE)
    try:
        version = cluster.group(group)["preferredVersion"]["version"]
    except RefusedError as error:
        if error.code == 404:
            return "the platform names a queue, but Kueue is not installed on the cluster"
        raise
    for workload in cluster.find_all(Kind("workloads", KUEUE, version)):
        owners = [owner["name"] for owner in workload["metadata"].get("ownerReferences", [])]
        if job in owners:
            return _why(workload)
    return ""


def _why(workload: Object) -> str:
    conditions = {item["type"]: item for item in workload.get("status", {}).get("conditions", [])}
    if conditions.get("Admitted", {}).get("status") == "True":
        return ""
    queue = workload["spec"].get("queueName", "")
    told = [conditions[name] for name in ("QuotaReserved", "Admitted") if conditions.get(name, {}).get("status") == "False"]
    return one_line(f"waits in queue '{queue}': {told[0].get('message', '') if told else 'for its turn'}")


def _time(event: Object) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp", ""))
