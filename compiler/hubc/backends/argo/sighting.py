"""Looking at a run on the cluster as closely as its state asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.logs import parse_event, progress_text
from hubc.backends.argo import obstacles
from hubc.backends.argo.kinds import PODS, RUN_LABEL
from hubc.backends.argo.nodes import has_ended, is_offloaded, step_nodes
from hubc.backends.argo.pods import by_step, container, is_training, phase
from hubc.backends.argo.refusals import RefusedError
from hubc.backends.argo.status import Sight, declared_steps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Object

TAIL_LINES = 50
"""Where the newest progress is looked for."""


def pods_of(cluster: Cluster, run: str) -> list[Object]:
    """Return all pods of a run."""
    return cluster.find_all(PODS, labels=f"{RUN_LABEL}={run}")


def look(cluster: Cluster, workflow: Object, *, has_queue: bool) -> Sight:
    """Return what the cluster tells of a run beside its Workflow."""
    pods = pods_of(cluster, workflow["metadata"]["name"])
    if has_ended(workflow):
        return Sight(pods)
    idle = any(phase(pod) == "Pending" for pod in pods) or _unborn(workflow, pods)
    warnings = obstacles.warnings(cluster) if idle else {}
    held = {step: _held_back(cluster, job, warnings, has_queue=has_queue) for step, job in _unborn(workflow, pods).items()}
    return Sight(pods, warnings, {step: why for step, why in held.items() if why}, _progress(cluster, pods))


def _unborn(workflow: Object, pods: Sequence[Object]) -> dict[str, str]:
    """Return the training object of each step on several nodes that has begun and has no node running."""
    found: dict[str, str] = {}
    if is_offloaded(workflow):
        return found
    nodes, present = step_nodes(workflow), by_step(pods)
    for declared in declared_steps(workflow):
        id = str(declared["id"])
        is_begun = id in nodes and nodes[id].phase in ("Pending", "Running")
        runs = any(is_training(pod) and phase(pod) == "Running" for pod in present.get(id, []))
        if is_begun and not runs and (job := nodes[id].parameter("job")):
            found[id] = job
    return found


def _held_back(cluster: Cluster, job: str, warnings: Mapping[str, str], *, has_queue: bool) -> str:
    return (obstacles.queued(cluster, job) if has_queue else "") or obstacles.about(job, warnings)


def _progress(cluster: Cluster, pods: Sequence[Object]) -> dict[str, str]:
    """Return the newest progress of each step that runs; the node with rank 0 tells it."""
    found = {}
    for step, some in by_step(pods).items():
        running = [pod for pod in some if phase(pod) == "Running"]
        if running and (text := _newest(cluster, running[0])):
            found[step] = text
    return found


def _newest(cluster: Cluster, pod: Object) -> str:
    try:
        lines = cluster.log(pod["metadata"]["name"], {"container": container(pod), "tailLines": TAIL_LINES})
    except RefusedError as error:
        # It has not begun to write, or is gone by now.
        if error.code in (400, 404):
            return ""
        raise
    events = [event for line in lines.splitlines() if (event := parse_event(line)) and event["hubc"] == "progress"]
    return progress_text(events[-1]) if events else ""
