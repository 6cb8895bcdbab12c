"""From a Workflow and its pods to a run in hubc's own words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hubc.backends.argo.metadata import PLAN_DIGEST, PLATFORM, SPEC, STEPS
from hubc.backends.argo.names import PREPARE
from hubc.backends.argo.nodes import has_ended, is_offloaded, moment, step_nodes
from hubc.backends.argo.pods import by_step, one_line, phase, pod_run, told
from hubc.runs import Run, StepRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hubc.backends.argo.kinds import Object
    from hubc.backends.argo.nodes import StepNode
    from hubc.runs import RunState, StepState
    from hubc.spec.platform import Platform

STATES: dict[str, StepState] = {
    "": "pending", "Pending": "waiting", "Running": "running", "Succeeded": "succeeded", "Skipped": "reused",
    "Failed": "failed", "Error": "failed", "Omitted": "cancelled",
}  # fmt: skip
_SHUT_DOWN = "workflow shutdown with strategy"
_KILLED = (137, 143)
_STOPPED, _NOT_STARTED = "stopped with the run", "not started"
_OFFLOADED = "Argo keeps the steps' state in its database, so this is only what their pods tell"


@dataclass(frozen=True)
class Sight:
    """What was seen on the cluster beside the Workflow; all of it may be missing."""

    pods: Sequence[Object] = ()
    warnings: Mapping[str, str] = field(default_factory=dict)
    held_back: Mapping[str, str] = field(default_factory=dict)
    """Step -> why nothing of it runs yet."""
    progress: Mapping[str, str] = field(default_factory=dict)


def run_state(workflow: Object) -> RunState:
    """Return the state of a run."""
    match workflow.get("status", {}).get("phase", ""):
        case "Succeeded":
            return "succeeded"
        case "Failed" | "Error":
            return "cancelled" if workflow.get("spec", {}).get("shutdown") else "failed"
        case "Running":
            return "running"
        case _:
            return "pending"


def run_of(workflow: Object, platform: Platform, sight: Sight) -> Run:
    """Return the run that a Workflow is."""
    metadata, status = workflow["metadata"], workflow.get("status", {})
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    steps = _steps(workflow, sight)
    assert platform.spec.argo is not None  # noqa: S101 - who asks has a cluster
    ui = platform.spec.argo.ui_url
    return Run(
        id=metadata["name"],
        pipeline=labels.get("hubc.dev/pipeline", ""),
        platform=annotations.get(PLATFORM, platform.metadata.name),
        spec=annotations.get(SPEC, ""),
        plan_digest=annotations.get(PLAN_DIGEST, ""),
        state=run_state(workflow),
        reason=_reason(workflow, steps, sight),
        created_at=moment(metadata["creationTimestamp"]) or 0.0,
        finished_at=moment(status.get("finishedAt")) if has_ended(workflow) else None,
        url=f"{str(ui).rstrip('/')}/workflows/{metadata['namespace']}/{metadata['name']}" if ui else "",
        steps=steps,
    )


def declared_steps(workflow: Object) -> list[dict[str, object]]:
    """Return what the Workflow says of the plan's steps, in their order."""
    text = workflow["metadata"].get("annotations", {}).get(STEPS, "[]")
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict) and "id" in item] if isinstance(found, list) else []


def _steps(workflow: Object, sight: Sight) -> tuple[StepRun, ...]:
    nodes = {} if is_offloaded(workflow) else step_nodes(workflow)
    pods = by_step(sight.pods)
    made = []
    for declared in declared_steps(workflow):
        id = str(declared["id"])
        blank = StepRun(id=id, kind=str(declared.get("kind", "")), key=str(declared.get("key", "")))
        blank = blank.model_copy(update={"pods": tuple(pod_run(pod, sight.warnings) for pod in pods.get(id, []))})
        if id in nodes:
            made.append(_from_node(blank, nodes[id], workflow, pods.get(id, []), sight))
        elif is_offloaded(workflow):
            made.append(_from_pods(blank, pods.get(id, [])))
        else:
            made.append(_cancelled(blank) if has_ended(workflow) else blank)
    return tuple(made)


def _from_node(step: StepRun, node: StepNode, workflow: Object, pods: Sequence[Object], sight: Sight) -> StepRun:
    state = STATES.get(node.phase, "pending")
    reason = ""
    if has_ended(workflow) and state in ("pending", "running", "waiting"):
        state = "failed"
    match state:
        case "failed" if workflow.get("spec", {}).get("shutdown") and _was_cut_off(node, pods):
            state, reason = "cancelled", _STOPPED
        case "cancelled":
            reason = _NOT_STARTED
        case "failed":
            reason = next(filter(None, map(told, pods)), "") or one_line(node.message) or _first_reason(step)
        case "running" | "waiting":
            state, reason = _waiting(step, node, state, sight)
        case "reused":
            reason = "already done"
    return step.model_copy(
        update={
            "state": state,
            "reason": reason,
            "attempts": 0 if state in ("reused", "pending") or reason == _NOT_STARTED else node.attempts,
            "started_at": moment(node.node.get("startedAt")),
            "finished_at": moment(node.node.get("finishedAt")),
            "exit_code": node.exit_code,
            "progress": sight.progress.get(step.id, "") if state == "running" else "",
        }
    )


def _was_cut_off(node: StepNode, pods: Sequence[Object]) -> bool:
    """Tell whether a step ended because its run was cancelled, and not before."""
    if node.is_group:
        return not any(map(told, pods))
    return not node.message or node.exit_code in _KILLED or _SHUT_DOWN in node.message


def _cancelled(step: StepRun) -> StepRun:
    return step.model_copy(update={"state": "cancelled", "reason": _NOT_STARTED})


def _waiting(step: StepRun, node: StepNode, state: StepState, sight: Sight) -> tuple[StepState, str]:
    """Return whether a step that Argo has begun really runs, and if not, why."""
    if node.lock:
        return "waiting", one_line(f"waits for another run: {node.lock}")
    if held := sight.held_back.get(step.id):
        return "waiting", held
    if any(pod.phase == "Running" for pod in step.pods):
        return "running", next((pod.reason for pod in step.pods if pod.phase == "Pending" and pod.reason), "")
    if step.pods and all(pod.phase == "Pending" for pod in step.pods):
        return "waiting", _first_reason(step) or one_line(node.message)
    return state, one_line(node.message)


def _from_pods(step: StepRun, pods: Sequence[Object]) -> StepRun:
    """Return a step of which only the pods are known: the newest decides."""
    if not pods:
        return step
    state = {"Pending": "waiting", "Running": "running", "Succeeded": "succeeded", "Failed": "failed"}
    now = state.get(phase(pods[-1]), "pending")
    reason = told(pods[-1]) if now == "failed" else ""
    return step.model_copy(update={"state": now, "reason": reason or _first_reason(step)})


def _first_reason(step: StepRun) -> str:
    return next((pod.reason for pod in step.pods if pod.reason), "")


def _reason(workflow: Object, steps: Sequence[StepRun], sight: Sight) -> str:
    """Return why a run failed or does not go on."""
    state, message = run_state(workflow), one_line(workflow.get("status", {}).get("message", ""))
    match state:
        case "succeeded":
            return ""
        case "cancelled":
            return "cancelled"
        case "failed":
            failed = next((step for step in steps if step.state == "failed"), None)
            if failed:
                return f"step '{failed.id}' failed: {failed.reason}"
            return _preparation(workflow, sight) or message
        case _ if is_offloaded(workflow):
            return _OFFLOADED
        case _ if not workflow.get("status"):
            return "waits for Argo's controller"
        case _:
            return message or _preparation(workflow, sight)


def _preparation(workflow: Object, sight: Sight) -> str:
    """Return what is wrong with the task before all steps, if something is."""
    node = None if is_offloaded(workflow) else step_nodes(workflow).get(PREPARE)
    if node is None or node.phase == "Succeeded":
        return ""
    pods = [pod_run(pod, sight.warnings).reason for pod in by_step(sight.pods).get(PREPARE, [])]
    why = next(filter(None, pods), "") or one_line(node.message)
    return f"{PREPARE}: {why}" if why else ""
