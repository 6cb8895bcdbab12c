"""What a Workflow is wrapped in: nothing, a WorkflowTemplate that it refers to, or a CronWorkflow that starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.metadata import stamped

if TYPE_CHECKING:
    from hubc.plan import Plan

OVERLAP = {"skip": "Forbid", "replace": "Replace", "allow": "Allow"}
_REFERRING = ("entrypoint", "activeDeadlineSeconds", "ttlStrategy", "podGC", "priority")
"""What a Workflow may say itself where the controller takes only references to templates."""


def documents(plan: Plan, workflow: dict[str, Any], *, as_template: bool, scheduled: bool) -> list[dict[str, Any]]:
    """Return the manifests of a plan: those that others refer to come first."""
    if not as_template:
        return [stamped(_cron(plan, workflow) if scheduled else workflow)]
    template = {
        "apiVersion": workflow["apiVersion"],
        "kind": "WorkflowTemplate",
        "metadata": workflow["metadata"],
        "spec": workflow["spec"],
    }
    kept = {name: workflow["spec"][name] for name in _REFERRING if name in workflow["spec"]}
    referring = {**workflow, "spec": {**kept, "workflowTemplateRef": {"name": workflow["metadata"]["name"]}}}
    return [stamped(template), stamped(_cron(plan, referring) if scheduled else referring)]


def _cron(plan: Plan, workflow: dict[str, Any]) -> dict[str, Any]:
    """Return the CronWorkflow: it is named after the pipeline, so that a changed plan takes the place of the former one."""
    assert plan.schedule  # noqa: S101 - asked by the caller
    metadata = workflow["metadata"]
    return {
        "apiVersion": workflow["apiVersion"],
        "kind": "CronWorkflow",
        "metadata": {**metadata, "name": plan.pipeline},
        "spec": {
            "schedules": [plan.schedule.cron],
            "timezone": plan.schedule.timezone,
            "concurrencyPolicy": OVERLAP[plan.schedule.overlap],
            # A run that could not start for an hour, such as while the controller was down, is left to the next time.
            "startingDeadlineSeconds": 3600,
            "workflowMetadata": {
                "labels": metadata["labels"],
                "annotations": metadata["annotations"],
            },
            "workflowSpec": workflow["spec"],
        },
    }
