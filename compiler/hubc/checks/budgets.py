"""Rules over what rendering would refuse, told while the spec can still be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.view import Finding
from hubc.errors import HubcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.plan import Step
    from hubc.source import Location

SHORTER = "give the phase, the suite or the pipeline a shorter name"


def budgets(view: View) -> Iterator[Finding]:
    """`step-id`, `job-name`, `request-size`, `templates`: what Kubernetes and Argo have no room for."""
    if view.cluster is None:
        return
    from hubc.backends.argo.names import MAX_TEMPLATES, is_distributed

    for step in view.plan.steps:
        yield from _step(view, step)
    templates = len(view.plan.steps) + sum(map(is_distributed, view.plan.steps)) + 2
    if templates > MAX_TEMPLATES:
        place: Location = ("spec", "matrix") if view.spec.matrix else ("spec",)
        yield Finding(place, "templates", f"the Workflow would have {templates} templates, Argo takes {MAX_TEMPLATES}",
                      "sweep fewer values, or use several pipelines", at_key=True)  # fmt: skip


def _step(view: View, step: Step) -> Iterator[Finding]:
    from hubc.backends.argo.distributed import MAX_REQUEST_BYTES
    from hubc.backends.argo.names import MAX_LABEL, is_distributed, job_name, workflow_name
    from hubc.backends.argo.pod import request
    from hubc.backends.argo.serialize import to_json

    if len(step.id) > MAX_LABEL:
        message = f"the step '{step.id}' would have a name of {len(step.id)} characters, Argo takes {MAX_LABEL}"
        yield _too_long(step, "step-id", message, SHORTER)
    elif is_distributed(step):
        try:
            job_name(view.plan, step)
        except HubcError:
            message = f"the pods of the step '{step.id}' would have longer names than Kubernetes allows"
            yield _too_long(step, "job-name", message, f"{SHORTER}, or use one node")
            return
        size = len(to_json(request(view.plan, step, workflow_name(view.plan)).model_dump(mode="json")))
        if size > MAX_REQUEST_BYTES:
            place = (*step.section, "custom", "script") if step.parameters.get("custom") else step.section
            yield Finding(place, "request-size", f"the request of the step '{step.id}' has {size} bytes, pods of several "
                          f"nodes take {MAX_REQUEST_BYTES}", "use a smaller script, or one node")  # fmt: skip


def _too_long(step: Step, rule: str, message: str, remedy: str) -> Finding:
    """Return a finding where the part of a step's name stands that makes it long."""
    if step.kind in ("train", "evaluate") and len(step.section) > 2:
        return Finding((*step.section, "name"), rule, message, remedy)
    if step.variants:
        return Finding(("spec", "matrix", "fields"), rule, message, "sweep fewer fields, or use one node", at_key=True)
    return Finding(("metadata", "name"), rule, message, remedy)
