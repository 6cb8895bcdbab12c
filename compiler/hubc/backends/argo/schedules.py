"""Pipelines that start by themselves: a CronWorkflow each, shown as a run that is always about to begin."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hubc.backends.argo.cluster import CONFLICT
from hubc.backends.argo.kinds import CRON_WORKFLOWS
from hubc.backends.argo.refusals import RefusedError
from hubc.backends.argo.status import Sight, run_of
from hubc.backends.argo.submission import check, create, differs, remove_template

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
    if (former := _replace(cluster, objects[-1])) is not None:
        remove_template(cluster, former)


def remove(cluster: Cluster, name: str) -> None:
    """Delete a schedule and the template that it refers to; runs that it started go on."""
    found = cluster.find(CRON_WORKFLOWS, name)
    cluster.delete(CRON_WORKFLOWS, name)
    if found is not None:
        remove_template(cluster, found)


def _replace(cluster: Cluster, wanted: Object) -> Object | None:
    """Change a schedule unless it is as it should be, and return what it was before; None if nothing was changed.

    Whether it is suspended, and what the controller noted on it, stays. The controller writes to it at each start, so that
    a conflict is no surprise.
    """
    name = wanted["metadata"]["name"]
    for pause in (*cluster.patience.pauses, None):
        found = cluster.get(CRON_WORKFLOWS, name)
        if not differs(found, wanted):
            return None
        kept = {key: found["spec"][key] for key in ("suspend",) if key in found["spec"]}
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        changed = {**found, "metadata": {**wanted["metadata"], **version}, "spec": {**wanted["spec"], **kept}}
        try:
            cluster.replace(CRON_WORKFLOWS, changed)
            return found
        except RefusedError as error:
            if error.code != CONFLICT or pause is None:
                raise
            time.sleep(pause)
    return None


def suspend(cluster: Cluster, name: str, *, suspended: bool) -> Object:
    """Let a schedule start no runs, or start them again."""
    return cluster.patch(CRON_WORKFLOWS, name, {"spec": {"suspend": suspended}})
