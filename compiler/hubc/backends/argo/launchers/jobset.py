"""A training as a JobSet: its controller names the pods, makes the headless service and restarts all nodes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers.kinds import JOB_SET
from hubc.backends.argo.launchers.pod_template import indexed_job
from hubc.backends.argo.launchers.templates import apply, apply_and_wait, manifest, steps, wait
from hubc.backends.argo.names import REPLICATED_JOB
from hubc.backends.argo.tags import Tag, tagged

if TYPE_CHECKING:
    from hubc.backends.argo.launchers.pod_template import TrainingPod
    from hubc.spec.cluster import Argo

FINAL_REASONS = ["DeadlineExceeded", "PodFailurePolicy"]
"""Failures of the Job after which a restart would only take the nodes once more."""


def launch(name: str, pod: TrainingPod, argo: Argo, retry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates that run a training as a JobSet."""
    return [
        steps(name, apply_and_wait(name)),
        apply(f"{name}-apply", manifest(JOB_SET, argo, pod, _spec(pod)), retry),
        wait(f"{name}-wait", JOB_SET, argo, retry),
    ]


def _spec(pod: TrainingPod) -> dict[str, Any]:
    master = tagged(Tag.JOB, f"-{REPLICATED_JOB}-0-0.", Tag.JOB)
    return {
        # Workers ask for the master's name before its pod is ready.
        "network": {"enableDNSHostnames": True, "publishNotReadyAddresses": True},
        "failurePolicy": {
            "maxRestarts": pod.retries,
            "rules": [{"name": "final", "action": "FailJobSet", "onJobFailureReasons": FINAL_REASONS}],
        },
        "replicatedJobs": [
            {"name": REPLICATED_JOB, "replicas": 1, "template": {"spec": indexed_job(pod, master)}},
        ],
    }
