"""PyTorchJob, which no package has models of: the fields that the Training Operator serves and hubc may write.

Source: kubeflow/training-operator 1.9, pkg/apis/kubeflow.org/v1: pytorch_types.go and common_types.go.
"""

# Pydantic evaluates the annotations, so that they are imported for real.
from datetime import datetime
from typing import Literal

from kubeflow_trainer_api.models import (
    IoK8sApiCoreV1PodTemplateSpec,
    IoK8sApimachineryPkgApisMetaV1ObjectMeta,
)
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class RunPolicy(_Model):
    """How long the job may run, and what is left of it."""

    clean_pod_policy: Literal["All", "Running", "None"] | None = None
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None


class ReplicaSpec(_Model):
    """The pods of one kind."""

    replicas: int | None = None
    restart_policy: Literal["Always", "OnFailure", "Never", "ExitCode"] | None = None
    template: IoK8sApiCoreV1PodTemplateSpec


class ReplicaSpecs(_Model):
    """The pods of both kinds: the master is the one whose end counts."""

    master: ReplicaSpec = Field(alias="Master")
    worker: ReplicaSpec | None = Field(default=None, alias="Worker")


class PyTorchJobSpec(_Model):
    """What is wanted."""

    run_policy: RunPolicy | None = None
    nproc_per_node: str | None = None
    pytorch_replica_specs: ReplicaSpecs


class ReplicaStatus(_Model):
    """How many pods of one kind there are."""

    active: int | None = None
    succeeded: int | None = None
    failed: int | None = None
    selector: str | None = None


class ReplicaStatuses(_Model):
    """How the pods of both kinds are."""

    master: ReplicaStatus | None = Field(default=None, alias="Master")
    worker: ReplicaStatus | None = Field(default=None, alias="Worker")


class JobCondition(_Model):
    """A state that the job is or was in."""

    type: str
    status: str
    reason: str | None = None
    message: str | None = None
    last_update_time: datetime | None = None
    last_transition_time: datetime | None = None


class JobStatus(_Model):
    """How the job is."""

    conditions: list[JobCondition]
    replica_statuses: ReplicaStatuses
    start_time: datetime | None = None
    completion_time: datetime | None = None
    last_reconcile_time: datetime | None = None


class PyTorchJob(_Model):
    """A training of the Training Operator."""

    api_version: str
    kind: str
    metadata: IoK8sApimachineryPkgApisMetaV1ObjectMeta
    spec: PyTorchJobSpec
    status: JobStatus | None = None
