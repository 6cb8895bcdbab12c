"""Plan -> Workflow, in Hera's classes; what they share with a JobSet comes as plain data and is read into Hera's models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hera.workflows import DAG, Container, Resource, Task, Workflow, models

from hubc.backends.argo.distributed import FAILURE, SUCCESS, identity, job_set
from hubc.backends.argo.names import CLEAN_UP, ENTRYPOINT, is_distributed, plan_labels, step_labels, workflow_name
from hubc.backends.argo.pod import GRACE_SECONDS, POD_SECURITY, container, placement, request, torchrun, volumes
from hubc.backends.argo.serialize import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

REQUEST = "/hubc/request.json"
RETRY = 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]'
"""What may pass: faults of the infrastructure, and the exit codes that ask for another attempt."""
PARALLEL_STEPS = 8
WEEK_SECONDS = 7 * 24 * 3600


def build(plan: Plan, argo: Argo, accelerators: Mapping[str, Accelerator]) -> dict[str, Any]:
    """Return the Workflow of a plan as plain data."""
    jobs = [step for step in plan.steps if is_distributed(step)]
    workflow = Workflow(
        api_version="argoproj.io/v1alpha1",
        kind="Workflow",
        name=workflow_name(plan),
        namespace=argo.namespace,
        labels=plan_labels(plan),
        annotations={
            "workflows.argoproj.io/title": f"{plan.pipeline} on {plan.platform}",
            "workflows.argoproj.io/description": _describe(plan),
        },
        entrypoint=ENTRYPOINT,
        on_exit=CLEAN_UP if jobs else None,
        templates=[
            DAG(name=ENTRYPOINT, tasks=[_task(step) for step in plan.steps]),
            *(_template(plan, step, argo, accelerators) for step in plan.steps),
            *([_clean_up(jobs)] if jobs else []),
            *(_delete(plan, step, argo) for step in jobs),
        ],
        service_account_name=argo.service_account,
        automount_service_account_token=False,
        executor=models.ExecutorConfig(service_account_name=argo.executor_service_account),
        security_context=models.PodSecurityContext.model_validate(POD_SECURITY),
        pod_metadata=models.Metadata(labels=plan_labels(plan)),
        pod_gc=models.PodGC(strategy="OnPodSuccess"),
        ttl_strategy=models.TTLStrategy(seconds_after_completion=WEEK_SECONDS),
        active_deadline_seconds=_deadline_seconds(plan),
        parallelism=min(PARALLEL_STEPS, plan.max_parallel or PARALLEL_STEPS),
        # Runs of one pipeline take turns: the next one finds what the last one made instead of making it, too.
        synchronization=models.Synchronization(mutexes=[models.Mutex(name=f"hubc-{plan.pipeline}")]),
    )
    found: dict[str, Any] = workflow.to_dict()
    return found


def _describe(plan: Plan) -> str:
    """Return markdown; two braces of a user are written so that only the browser puts them together."""
    steps = (f"- {step.id}: `{step.key}`" for step in plan.steps)
    parts = [plan.description.strip(), f"Plan `{plan.digest}`, steps and their cache keys:", "\n".join(steps)]
    return "\n\n".join(filter(None, parts)).replace("{{", "&#123;&#123;")


def _deadline_seconds(plan: Plan) -> int:
    """Return a backstop: all steps at their limits, one after the other, and a week of waiting for nodes."""
    attempts = (step.resources.timeout_minutes * 60 * (step.retries + 1) for step in plan.steps)
    return sum(attempts) + WEEK_SECONDS


def _task(step: Step) -> Task:
    return Task(name=step.id, template=step.id, depends=" && ".join(step.needs) or None)


def _template(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> Container | Resource:
    if is_distributed(step):
        return _apply(plan, step, argo, accelerators)
    return _container(plan, step, argo, accelerators)


def _container(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> Container:
    peers = torchrun(step, {"value": "0"}, "127.0.0.1") if step.kind == "train" else []
    inner = models.Container.model_validate(container(step, accelerators, REQUEST, peers))
    where = models.Template.model_validate(placement(step, accelerators))
    document = to_json(request(plan, step, workflow_name(plan)).model_dump(mode="json"), indent=2) + "\n"
    return Container(
        name=step.id,
        labels=step_labels(step),
        inputs=models.Inputs(
            artifacts=[models.Artifact(name="request", path=REQUEST, raw=models.RawArtifact(data=document))]
        ),
        image=inner.image,
        command=inner.command,
        env=inner.env,
        resources=inner.resources,
        security_context=inner.security_context,
        volume_mounts=inner.volume_mounts,
        volumes=[models.Volume.model_validate(volume) for volume in volumes(step, argo)],
        node_selector=where.node_selector,
        tolerations=where.tolerations,
        active_deadline_seconds=step.resources.timeout_minutes * 60,
        retry_strategy=_retry(step),
        pod_spec_patch=json.dumps({"terminationGracePeriodSeconds": GRACE_SECONDS}) if step.kind == "train" else None,
    )


def _apply(plan: Plan, step: Step, argo: Argo, accelerators: Mapping[str, Accelerator]) -> Resource:
    """Return the template that starts a JobSet, or finds it again, and waits for it.

    It has no deadline of its own: that of the job does not count the time in a queue.
    """
    return Resource(
        name=step.id,
        labels=step_labels(step),
        action="apply",
        set_owner_reference=True,
        manifest=json.dumps(job_set(plan, step, argo, accelerators), indent=2),
        success_condition=SUCCESS,
        failure_condition=FAILURE,
        retry_strategy=_retry(step),
    )


def _retry(step: Step) -> models.RetryStrategy:
    # No maxDuration: Argo counts it from the start of the first attempt, which may itself take hours.
    return models.RetryStrategy.model_validate(
        {
            "limit": step.retries,
            "retryPolicy": "Always",
            "expression": RETRY,
            "backoff": {"duration": "1m", "factor": 2},
        }
    )


def _clean_up(jobs: list[Step]) -> DAG:
    """Return the exit handler: no node stays taken, however the run ends."""
    names = [_delete_name(step) for step in jobs]
    return DAG(name=CLEAN_UP, fail_fast=False, tasks=[Task(name=name, template=name) for name in names])


def _delete(plan: Plan, step: Step, argo: Argo) -> Resource:
    return Resource(
        name=_delete_name(step),
        labels=step_labels(step),
        action="delete",
        flags=["--ignore-not-found"],
        manifest=json.dumps(identity(plan, step, argo), indent=2),
        retry_strategy=models.RetryStrategy.model_validate(
            {"limit": 3, "retryPolicy": "Always", "backoff": {"duration": "10s", "factor": 2}}
        ),
    )


def _delete_name(step: Step) -> str:
    return f"delete-{step.id}"
