"""Pipelines that start by themselves: a CronWorkflow each, shown as a run that is always about to begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.kinds import CRON_WORKFLOWS
from hubc.backends.argo.metadata import PLAN_DIGEST
from hubc.backends.argo.status import Sight, run_of
from hubc.backends.argo.submission import check, create

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Object
    from hubc.runs import Run
    from hubc.spec.platform import Platform


def schedule_run(cron: Object, platform: Platform) -> Run:
    """Return a schedule as a run: pending, or cancelled while it is suspended."""
    spec = cron["spec"]
    times = ", ".join(spec.get("schedules") or [spec.get("schedule", "")])
    told = f"starts by itself: {times} {spec.get('timezone', '')}".rstrip()
    run = run_of({**cron, "status": {"phase": "Pending"}}, platform, Sight())
    if spec.get("suspend"):
        return run.model_copy(update={"state": "cancelled", "reason": "suspended; start it again with: hubc retry"})
    return run.model_copy(update={"reason": told, "url": run.url.replace("/workflows/", "/cron-workflows/")})


def put(cluster: Cluster, objects: Sequence[Object]) -> None:
    """Create a schedule, or change the one of the same pipeline; a run that it started goes on as it was.

    Raises HubcError if the cluster refuses.
    """
    check(cluster, objects)
    if create(cluster, objects):
        return
    wanted = objects[-1]
    found = cluster.get(CRON_WORKFLOWS, wanted["metadata"]["name"])
    if found["metadata"].get("annotations", {}).get(PLAN_DIGEST) != wanted["metadata"]["annotations"][PLAN_DIGEST]:
        version = found["metadata"]["resourceVersion"]
        changed = {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": version}}
        cluster.replace(CRON_WORKFLOWS, changed)


def suspend(cluster: Cluster, name: str, *, suspended: bool) -> Object:
    """Let a schedule start no runs, or start them again."""
    return cluster.patch(CRON_WORKFLOWS, name, {"spec": {"suspend": suspended}})
