"""What runs a training on several nodes: one object of Kubernetes that Argo applies, waits for and deletes.

The object's name is the parameter `job`, the same at every attempt, so that a retry finds it again. No accelerator stays
taken: the object goes with its Workflow, has a deadline of its own, and the exit handler deletes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from hubc.backends.argo.launchers import job, jobset, pytorchjob, trainjob
from hubc.backends.argo.launchers.kinds import JOB, JOB_SET, PYTORCH_JOB, SERVICE, TRAIN_JOB, Kind
from hubc.backends.argo.launchers.pod_template import TrainingPod

if TYPE_CHECKING:
    from hubc.spec.cluster import Argo

__all__ = ["TrainingPod", "launch", "objects"]


def launch(name: str, pod: TrainingPod, argo: Argo, *, retry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates that run a training; the first, `name`, takes the parameters `step` and `job`.

    `retry` is the retry strategy of the executor's pods: a retry goes on waiting for the same object. Raises HubcError if
    the launcher cannot give the pods what they need.
    """
    match argo.launcher.kind:
        case "jobset":
            return jobset.launch(name, pod, argo, retry)
        case "trainjob":
            return trainjob.launch(name, pod, argo, retry)
        case "pytorchjob":
            return pytorchjob.launch(name, pod, argo, retry)
        case "job":
            return job.launch(name, pod, argo, retry)
        case other:
            assert_never(other)


def objects(argo: Argo) -> tuple[tuple[str, str, str], ...]:
    """Return apiVersion, kind and plural of the objects of a training, all named like it; the first is what runs it."""
    return tuple((kind.api_version, kind.kind, kind.plural) for kind in _kinds(argo))


def _kinds(argo: Argo) -> tuple[Kind, ...]:
    """Return the kinds that are deleted; what they own goes with them."""
    match argo.launcher.kind:
        case "jobset":
            return (JOB_SET,)
        case "trainjob":
            return (TRAIN_JOB,)
        case "pytorchjob":
            return (PYTORCH_JOB,)
        case "job":
            return (JOB, SERVICE)
        case other:
            assert_never(other)
