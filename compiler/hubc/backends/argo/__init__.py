"""Rendering a plan as an Argo Workflow: one manifest, deterministic, with no text of a user where Argo would evaluate it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo import controller
from hubc.backends.argo.controller import check_supported
from hubc.backends.argo.names import check_names, job_name, workflow_name
from hubc.backends.argo.serialize import check_manifest, to_yaml
from hubc.errors import UsageError

if TYPE_CHECKING:
    from hubc.plan import Plan
    from hubc.spec.platform import Platform

__all__ = ["job_name", "render", "warnings", "workflow_name"]


def warnings(plan: Plan, platform: Platform) -> list[str]:
    """Return what a reader of the manifest should know, one sentence each, for standard error."""
    found = controller.warnings(platform)
    if plan.schedule:
        found.append("the manifest is one run; 'schedule' is not rendered yet")
    if plan.notify:
        found.append("webhooks are told of runs on one machine ('hubc run') only; 'notify' is not rendered yet")
    return found


def render(plan: Plan, platform: Platform) -> str:
    """Return the manifest of a plan as YAML text.

    Raises UsageError if the plan is not for this platform or the platform has no Argo, and HubcError if a name, a size
    or the controller's version is outside of what the cluster accepts.
    """
    argo, name = platform.spec.argo, platform.metadata.name
    if plan.platform != name:
        raise UsageError(f"the plan is for platform '{plan.platform}', not '{name}'; compile it again")
    if argo is None:
        raise UsageError(f"platform '{name}' has no 'argo'; choose one that runs on Argo Workflows with --platform")
    check_supported(argo.controller_version)
    check_names(plan)
    # Here, because importing Hera is slow and changes how PyYAML writes strings.
    from hubc.backends.argo.workflow import build

    manifest = build(plan, argo, platform.spec.accelerators)
    text = to_yaml(manifest)
    check_manifest(manifest, text)
    return text
