"""Ending a run: its Workflow, its training objects, and every pod."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hubc.backends.argo.kinds import RUN_LABEL, WORKFLOWS
from hubc.backends.argo.nodes import has_ended
from hubc.backends.argo.pods import ENDED_PODS, phase
from hubc.backends.argo.refusals import RefusedError
from hubc.backends.argo.sighting import pods_of
from hubc.backends.argo.watching import Watching
from hubc.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Kind, Object

_NOT_INSTALLED = 404


def stop(cluster: Cluster, run: str, training: Sequence[Kind]) -> None:
    """End a run and return when nothing of it runs any more.

    Argo is asked to stop, so that the run's last report is still made; if that takes too long, to terminate, which skips
    the report. In either case Argo leaves training objects alone, so they are deleted here.
    Raises UnreachableError if something does not end.
    """
    end_training(cluster, run, training, shutdown="Stop")
    if not _ends_within(cluster, run, cluster.patience.stop):
        end_training(cluster, run, training, shutdown="Terminate")
        if not _ends_within(cluster, run, cluster.patience.end):
            raise UnreachableError(f"Workflow '{run}' does not end; is Argo's controller running? see: "
                                   f"kubectl get workflow {run} {cluster.place.flags}")  # fmt: skip
    # Argo may have applied a training object anew before it ended.
    end_training(cluster, run, training)
    wait_for_pods(cluster, run)


def end_training(cluster: Cluster, run: str, training: Sequence[Kind], *, shutdown: str = "") -> None:
    """Delete the training objects of a run, after telling Argo to shut it down so that they do not come back."""
    if shutdown:
        cluster.patch(WORKFLOWS, run, {"spec": {"shutdown": shutdown}})
    for kind in training:
        try:
            found = cluster.find_all(kind, labels=f"{RUN_LABEL}={run}")
        except RefusedError as error:
            if error.code == _NOT_INSTALLED:
                continue
            raise
        for item in found:
            cluster.delete(kind, item["metadata"]["name"])


def remove(cluster: Cluster, workflow: Object) -> None:
    """Delete a Workflow and what it owns, and return when it and its pods are gone.

    The pods matter: Argo names those of a new Workflow of the same name alike. If another call has put a new one in its
    place meanwhile, that one stays.
    """
    run, uid = workflow["metadata"]["name"], workflow["metadata"]["uid"]
    if not cluster.delete(WORKFLOWS, run, uid=uid):
        return
    until = time.monotonic() + cluster.patience.end
    for state in Watching(cluster, WORKFLOWS, run, until).states():
        if state is None:
            wait_for_pods(cluster, run, even_ended=True)
            return
        if state["metadata"]["uid"] != uid:
            return
    raise UnreachableError(f"Workflow '{run}' is not gone after {cluster.patience.end:g} s; what it waits for: "
                           f"kubectl get pods,workflows -l {RUN_LABEL}={run} {cluster.place.flags}")  # fmt: skip


def wait_for_pods(cluster: Cluster, run: str, *, even_ended: bool = False) -> None:
    """Return when no pod of a run runs any more; with `even_ended`, when none is there.

    Raises UnreachableError if that takes too long.
    """
    until = time.monotonic() + cluster.patience.end
    while left := [pod for pod in pods_of(cluster, run) if even_ended or phase(pod) not in ENDED_PODS]:
        if time.monotonic() >= until:
            names = ", ".join(pod["metadata"]["name"] for pod in left[:5])
            raise UnreachableError(f"pods of run '{run}' do not end: {names}; is their node alive? see: "
                                   f"kubectl describe pod {left[0]['metadata']['name']} {cluster.place.flags}")  # fmt: skip
        time.sleep(cluster.patience.poll)


def reborn(workflow: Object) -> Object:
    """Return a Workflow as it was before it ran, under the same name."""
    metadata = workflow["metadata"]
    own = {"name", "labels", "annotations", "ownerReferences"}
    fresh = {key: value for key, value in metadata.items() if key in own}
    for key in ("labels", "annotations"):
        fresh[key] = {name: value for name, value in fresh.get(key, {}).items() if name not in _NOTED}
    spec = {key: value for key, value in workflow["spec"].items() if key not in ("shutdown", "suspend")}
    return {"apiVersion": workflow["apiVersion"], "kind": workflow["kind"], "metadata": fresh, "spec": spec}


_NOTED = frozenset(
    f"workflows.argoproj.io/{name}" for name in ("phase", "completed", "workflow-archiving-status", "pod-name-format")
)
"""What Argo's controller notes on a Workflow while it runs."""


def _ends_within(cluster: Cluster, run: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    return any(state is None or has_ended(state) for state in Watching(cluster, WORKFLOWS, run, until).states())
