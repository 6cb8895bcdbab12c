"""A training as an indexed Job and a headless service: Kubernetes alone, without an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers.kinds import JOB, SERVICE
from hubc.backends.argo.launchers.pod_template import PORT, indexed_job
from hubc.backends.argo.launchers.restarts import again, restarting
from hubc.backends.argo.launchers.templates import apply, manifest, step, wait
from hubc.backends.argo.tags import Tag, tagged

if TYPE_CHECKING:
    from hubc.backends.argo.launchers.pod_template import TrainingPod
    from hubc.spec.cluster import Argo

LOST = '{.status.conditions[?(@.reason=="BackoffLimitExceeded")].type}'
"""Finds a Job that failed because a pod did; a bad request and the deadline have other reasons."""


def launch(name: str, pod: TrainingPod, argo: Argo, retry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates that run a training as a Job; the service is there before the pods look for each other."""
    spec = indexed_job(pod, tagged(Tag.JOB, "-0.", Tag.JOB), subdomain=Tag.JOB)
    return [
        restarting(name, pod, [[step("service", f"{name}-service")]]),
        apply(f"{name}-service", _service(pod, argo), retry),
        apply(f"{name}-apply", manifest(JOB, argo, pod, spec), retry),
        wait(f"{name}-wait", JOB, argo, retry),
        *again(name, pod, JOB, LOST, argo, retry),
    ]


def _service(pod: TrainingPod, argo: Argo) -> dict[str, Any]:
    """Return the service whose name is the pods' subdomain: each is reached as `<job>-<index>.<job>`."""
    spec = {
        "clusterIP": "None",
        # Workers ask for the master's name before its pod is ready.
        "publishNotReadyAddresses": True,
        "selector": {"batch.kubernetes.io/job-name": Tag.JOB},
        "ports": [{"name": PORT, "port": pod.master_port, "targetPort": PORT}],
    }
    found = manifest(SERVICE, argo, pod, spec)
    found["metadata"]["labels"].pop("kueue.x-k8s.io/queue-name", None)
    return found
