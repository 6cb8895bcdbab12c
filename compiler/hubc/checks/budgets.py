"""Rules over what rendering would refuse, told while the spec can still be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.plan import Step
    from hubc.source import Location

SHORTER = "give the phase, the suite or the pipeline a shorter name"


def budgets(view: View) -> Iterator[Finding]:
    """`step-id`, `request-size`: what Kubernetes and Argo have no room for."""
    if view.platform is None or (argo := view.platform.spec.argo) is None:
        return
    from hubc.backends.argo.budgets import MAX_REQUESTS_BYTES
    from hubc.backends.argo.requests import requests_document

    for step in view.plan.steps:
        yield from _step(view, step)
    size = len(requests_document(view.plan, argo))
    if size > MAX_REQUESTS_BYTES:
        place: Location = ("spec", "taxonomy") if view.spec.taxonomy else ("spec",)
        yield Finding(place, "request-size", f"what the steps are told has {size} bytes, a Workflow takes "
                      f"{MAX_REQUESTS_BYTES}", "take the taxonomy from git ('taxonomy: {git: ...}'), or split the pipeline",
                      at_key=True)  # fmt: skip


def _step(view: View, step: Step) -> Iterator[Finding]:
    from hubc.backends.argo.names import MAX_LABEL

    if len(step.id) > MAX_LABEL:
        message = f"the step '{step.id}' would have a name of {len(step.id)} characters, Argo takes {MAX_LABEL}"
        yield _too_long(step, "step-id", message, SHORTER)


def _too_long(step: Step, rule: str, message: str, remedy: str) -> Finding:
    """Return a finding where the part of a step's name stands that makes it long."""
    if step.kind in ("train", "evaluate") and len(step.section) > 2:
        return Finding((*step.section, "name"), rule, message, remedy)
    if step.variants:
        return Finding(("spec", "matrix", "fields"), rule, message, "sweep fewer fields", at_key=True)
    return Finding(("metadata", "name"), rule, message, remedy)
