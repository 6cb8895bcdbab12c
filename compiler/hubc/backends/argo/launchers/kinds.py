"""The kinds of objects that run a training, and the conditions on their status that Argo waits for.

Conditions are label selectors over paths into the object. In a success condition a comma means *and*, in a failure
condition *or*. A list is reached by index only, so a failure condition names each place that `Failed` may stand at:
Kueue's `Suspended` and the operators' `Created`, `Running` and `Restarting` may stand before it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of object; `success` and `failure` tell how it ended."""

    api_version: str
    kind: str
    plural: str
    success: str = ""
    failure: str = ""


def _failed(*places: int) -> str:
    return ", ".join(f"status.conditions.{place}.type == Failed" for place in places)


JOB_SET = Kind(
    "jobset.x-k8s.io/v1alpha2",
    "JobSet",
    "jobsets",
    success="status.terminalState == Completed",
    failure="status.terminalState == Failed",
)
TRAIN_JOB = Kind(
    "trainer.kubeflow.org/v1alpha1",
    "TrainJob",
    "trainjobs",
    # Its JobSet tells how it ends. The TrainJob is only watched until it has one.
    success="status.jobsStatus.0.name",
    failure=_failed(0, 1, 2),
)
PYTORCH_JOB = Kind(
    "kubeflow.org/v1",
    "PyTorchJob",
    "pytorchjobs",
    # Not Worker.failed: it counts pods that are only restarting, too.
    success="status.replicaStatuses.Master.succeeded > 0",
    failure=_failed(1, 2, 3, 4),
)
JOB = Kind(
    "batch/v1",
    "Job",
    "jobs",
    success="status.completionTime",
    failure=", ".join(f"status.conditions.{place}.type in (Failed, FailureTarget)" for place in (0, 1, 2)),
)
SERVICE = Kind("v1", "Service", "services")
