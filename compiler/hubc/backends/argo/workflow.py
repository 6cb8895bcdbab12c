"""Plan -> Workflow: what hubc writes as plain data is read into Hera's classes, and Hera puts it together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera.workflows import Workflow, models

from hubc.backends.argo.budgets import check_requests
from hubc.backends.argo.exit_handler import exit_templates
from hubc.backends.argo.graph import dags
from hubc.backends.argo.layout import layout
from hubc.backends.argo.metadata import labels, notes
from hubc.backends.argo.names import ENTRYPOINT, EXIT, PREPARE, plan_labels, workflow_name
from hubc.backends.argo.pod import own_container, pod_security
from hubc.backends.argo.report import told
from hubc.backends.argo.requests import requests_document
from hubc.backends.argo.retry import retry_strategy
from hubc.backends.argo.shapes import shapes
from hubc.backends.argo.tags import to_text
from hubc.errors import HubcError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.origin import Origin
    from hubc.plan import Plan
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

PLAN_FILE = "/hubc/plan.json"
TODO = "/tmp/todo"  # noqa: S108 - a volume of the pod's own
PREPARE_SECONDS = 1800
"""Also for pulling the image: a pod that waits for one that is not there must not keep the run for ever."""
MORE_PODS = 9999
"""More than a run has, so that none may be evicted. A percentage needs owners that say how many pods they want."""
DAY_SECONDS = 24 * 3600
WAITING_DAYS = 7


def build(plan: Plan, argo: Argo, accelerators: Mapping[str, Accelerator], origin: Origin) -> dict[str, Any]:
    """Return the Workflow of a plan as plain data."""
    whom = told(plan, argo, origin)
    leaves, names = shapes(plan, argo, accelerators)
    ends = exit_templates(plan, argo, whom)
    templates = [*dags(plan, names, tells_start=whom.at_start), _prepare(plan, argo), *leaves, *ends]
    workflow = Workflow(
        api_version="argoproj.io/v1alpha1",
        kind="Workflow",
        name=workflow_name(plan),
        namespace=argo.namespace,
        labels=labels(plan, origin),
        annotations=notes(plan, origin),
        entrypoint=ENTRYPOINT,
        on_exit=EXIT if ends else None,
        templates=[_read(template) for template in templates],
        service_account_name=argo.service_account,
        automount_service_account_token=False,
        executor=models.ExecutorConfig(service_account_name=argo.executor_service_account),
        security_context=models.PodSecurityContext.model_validate(pod_security(argo)),
        image_pull_secrets=[models.LocalObjectReference(name=name) for name in argo.image_pull_secrets] or None,
        pod_metadata=models.Metadata(labels=plan_labels(plan)),
        pod_priority_class_name=argo.priority_class,
        priority=argo.workflow_priority,
        pod_gc=models.PodGC(strategy="OnPodSuccess"),
        ttl_strategy=models.TTLStrategy(seconds_after_completion=argo.keep_days * DAY_SECONDS),
        pod_disruption_budget=models.PodDisruptionBudgetSpec(min_available=MORE_PODS),
        active_deadline_seconds=_deadline_seconds(plan),
        parallelism=min(argo.parallel_steps, plan.max_parallel or argo.parallel_steps),
        # Runs of one pipeline take turns: the next one finds what the last one made instead of making it, too.
        synchronization=models.Synchronization(mutexes=[models.Mutex(name=f"hubc-{plan.pipeline}")]),
        **_archive(argo),
    )
    found: dict[str, Any] = workflow.to_dict()
    return found


def _prepare(plan: Plan, argo: Argo) -> dict[str, Any]:
    """Return the template of a run's first pod: it hands out the requests, and says which steps are done already."""
    command = ["python", "-m", "hub_steps.prepare", "--plan", PLAN_FILE, "--todo", TODO]
    document = {"name": "plan", "path": PLAN_FILE, "raw": {"data": check_requests(requests_document(plan, argo))}}
    found: dict[str, Any] = to_text(
        {
            "name": PREPARE,
            "inputs": {"artifacts": [document]},
            "outputs": {"parameters": [{"name": s.id, "valueFrom": {"path": f"{TODO}/{s.id}"}} for s in plan.steps]},
            "container": own_container(argo, command, []),
            "volumes": list(layout(argo).volumes),
            "activeDeadlineSeconds": PREPARE_SECONDS,
            "retryStrategy": retry_strategy(2),
        }
    )
    return found


def _read(template: dict[str, Any]) -> models.Template:
    """Return a template in Hera's words; Hera would leave out silently what it does not know.

    Raises HubcError if something is left out: that is a fault of hubc's own.
    """
    found = models.Template.model_validate(template)
    lost = sorted(_leaves(template) - _leaves(found.model_dump(mode="json", by_alias=True, exclude_none=True)))
    if lost:
        raise HubcError(f"template-field: Argo's templates have no {lost[0]} (template '{template['name']}')")
    return found


def _leaves(data: Any, path: str = "") -> set[str]:
    """Return the paths of all values in nested data."""
    if isinstance(data, dict):
        return {leaf for key, value in data.items() for leaf in _leaves(value, f"{path}.{key}")}
    if isinstance(data, list | tuple):
        return {leaf for item in data for leaf in _leaves(item, f"{path}[]")}
    return {path.lstrip(".")}


def _deadline_seconds(plan: Plan) -> int:
    """Return a backstop: all steps at their limits, one after the other, and a week of waiting for nodes."""
    attempts = (step.resources.timeout_minutes * 60 * (step.retries + 1) for step in plan.steps)
    return sum(attempts) + WAITING_DAYS * DAY_SECONDS


def _archive(argo: Argo) -> dict[str, Any]:
    """Return where Argo keeps the logs of pods, if the platform has a place for them."""
    if argo.artifact_repository is None:
        return {}
    place = models.ArtifactRepositoryRef(config_map=argo.artifact_repository.config_map, key=argo.artifact_repository.key)
    return {"archive_logs": True, "artifact_repository_ref": place}
