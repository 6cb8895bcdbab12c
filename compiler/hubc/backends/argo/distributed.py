"""A step on several nodes: one JobSet, whose pods find each other through a headless service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.contract import ExitCode
from hubc.backends.argo.names import REPLICATED_JOB, job_name, plan_labels, step_labels, too_large, workflow_name
from hubc.backends.argo.pod import GRACE_SECONDS, POD_SECURITY, container, placement, request, torchrun, variable, volumes
from hubc.backends.argo.serialize import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

SUCCESS = "status.terminalState == Completed"
FAILURE = "status.terminalState == Failed"
FINAL_REASONS = ["DeadlineExceeded", "PodFailurePolicy"]
"""Failures of a Job after which a restart would only take the nodes once more."""
MAX_REQUEST_BYTES = 96 * 1024
"""Linux refuses a variable of 128 KiB; the rest is room to spare."""
_RANK = {"valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}


def identity(plan: Plan, step: Step, argo: Argo) -> dict[str, Any]:
    """Return the manifest that names a step's JobSet without describing it."""
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": job_name(plan, step), "namespace": argo.namespace},
    }


def job_set(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    """Return the manifest of a step's JobSet.

    Raises HubcError if the step's request is too large for an environment variable.
    """
    found = identity(plan, step, argo)
    # Kueue admits the job as a whole; on a pod, the label would make it wait by itself.
    queue = {"kueue.x-k8s.io/queue-name": argo.queue} if argo.queue else {}
    found["metadata"]["labels"] = {**plan_labels(plan), **step_labels(step), **queue}
    found["spec"] = {
        "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
        "failurePolicy": {
            "maxRestarts": step.retries,
            "rules": [{"name": "final", "action": "FailJobSet", "onJobFailureReasons": FINAL_REASONS}],
        },
        "replicatedJobs": [
            {"name": REPLICATED_JOB, "replicas": 1, "template": {"spec": _job(plan, step, argo, accelerators)}}
        ],
    }
    return found


def _job(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    return {
        "completionMode": "Indexed",
        "completions": step.resources.nodes,
        "parallelism": step.resources.nodes,
        "backoffLimit": 0,
        # A bad request stays bad. Exit code 1 may only mean that a peer was lost, so it is worth a restart.
        "podFailurePolicy": {
            "rules": [
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": step.kind, "operator": "In", "values": [int(ExitCode.BAD_REQUEST)]},
                }
            ]
        },
        "activeDeadlineSeconds": step.resources.timeout_minutes * 60,
        "template": {
            # With this label `argo logs` finds the pods.
            "metadata": {
                "labels": {
                    **plan_labels(plan),
                    **step_labels(step),
                    "workflows.argoproj.io/workflow": workflow_name(plan),
                }
            },
            "spec": _pod(plan, step, argo, accelerators),
        },
    }


def _pod(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    job = job_name(plan, step)
    peers = torchrun(step, _RANK, f"{job}-{REPLICATED_JOB}-0-0.{job}")
    extra = [*peers, variable("HUBC_REQUEST", _request(plan, step))]
    return {
        "serviceAccountName": argo.service_account,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": POD_SECURITY,
        "containers": [{"name": step.kind, **container(step, accelerators, "env:HUBC_REQUEST", extra)}],
        "volumes": volumes(step, argo),
        **placement(step, accelerators),
    }


def _request(plan: Plan, step: Step) -> str:
    text = to_json(request(plan, step, workflow_name(plan)).model_dump(mode="json"))
    if len(text) > MAX_REQUEST_BYTES:
        raise too_large("request-size", f"the request of step '{step.id}'", len(text), MAX_REQUEST_BYTES, "bytes",
                        "shorten the step's parameters")  # fmt: skip
    return text
