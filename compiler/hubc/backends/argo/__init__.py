"""Rendering a plan for Argo Workflows: deterministic, with no text of a user where Argo would evaluate it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hubc.backends.argo import controller
from hubc.backends.argo.controller import check_supported
from hubc.backends.argo.names import check_names, job_name, workflow_name
from hubc.backends.argo.serialize import check_braces, check_manifest, to_yaml
from hubc.errors import HubcError, UsageError
from hubc.origin import Origin

if TYPE_CHECKING:
    from hubc.plan import Plan
    from hubc.spec.platform import Platform

__all__ = ["Form", "job_name", "render", "warnings", "workflow_name"]

Form = Literal["workflow", "workflowtemplate"]
NOWHERE = Origin()
MAX_SHOWN = 10
"""Findings of the verification that a message has room for."""


def warnings(plan: Plan, platform: Platform) -> list[str]:
    """Return what a reader of the manifest should know, one sentence each, for standard error."""
    found = controller.warnings(platform)
    if any("progress" in item.events for item in plan.notify):
        found.append("webhooks are told of starts and ends on a cluster; 'progress' is told of runs on one machine only")
    return found


def render(plan: Plan, platform: Platform, origin: Origin = NOWHERE, form: Form | None = None) -> str:
    """Return the manifests of a plan as YAML text.

    Without a form, it is the one that the platform's controller takes, and a schedule counts; `workflow` is always one run.
    Raises UsageError if the plan is not for this platform or the platform has no Argo, and HubcError if a name, a size,
    a field or the controller's version is outside of what the cluster accepts.
    """
    argo, name = platform.spec.argo, platform.metadata.name
    if plan.platform != name:
        raise UsageError(f"the plan is for platform '{plan.platform}', not '{name}'; compile it again")
    if argo is None:
        raise UsageError(f"platform '{name}' has no 'argo'; choose one that runs on Argo Workflows with --platform")
    if form == "workflow" and argo.template_referencing != "unrestricted":
        raise UsageError(f"the controller of platform '{name}' runs only WorkflowTemplates ('template_referencing: "
                         f"{argo.template_referencing}'); use --as workflowtemplate")  # fmt: skip
    check_supported(argo.controller_version)
    check_names(plan)
    check_braces(platform)
    # Here, because importing Hera is slow and changes how PyYAML writes strings.
    from hubc.backends.argo.budgets import check_templates
    from hubc.backends.argo.forms import documents
    from hubc.backends.argo.verify import verify
    from hubc.backends.argo.workflow import build

    check_templates(plan, argo, platform.spec.accelerators)
    as_template = form == "workflowtemplate" or argo.template_referencing != "unrestricted"
    workflow = build(plan, argo, platform.spec.accelerators, origin)
    scheduled = plan.schedule is not None and form != "workflow"
    made = documents(plan, workflow, as_template=as_template, scheduled=scheduled)
    texts = [to_yaml(document) for document in made]
    for document, text in zip(made, texts, strict=True):
        check_manifest(document, text)
    if found := verify(made):
        shown = "\n".join(f"  {finding}" for finding in found[:MAX_SHOWN])
        raise HubcError(
            f"manifest: a cluster would not take this; mend the platform, or report it as a fault of hubc:\n{shown}"
        )
    return "---\n".join(texts)
