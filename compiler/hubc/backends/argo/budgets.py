"""How large a Workflow may be, and how large that of a plan is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.graph import num_groups
from hubc.backends.argo.names import MAX_TEMPLATES, too_large
from hubc.backends.argo.shapes import shapes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.plan import Plan
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Accelerator

MAX_REQUESTS_BYTES = 400 * 1024
"""Argo keeps the document twice: in the specification, and in the status of the pod that reads it."""
OWN_TEMPLATES = 8
"""Entrypoint, preparation, exit handler, report, and the deletion of each kind of object that a launcher makes."""


def num_templates(plan: Plan, argo: Argo, accelerators: Mapping[str, Accelerator]) -> int:
    """Return the number of templates that the Workflow of a plan may have at most."""
    return len(shapes(plan, argo, accelerators)[0]) + num_groups(plan) + OWN_TEMPLATES


def check_requests(text: str) -> str:
    """Return the document of a plan's requests; raises HubcError if Argo has no room for it."""
    if len(text) > MAX_REQUESTS_BYTES:
        raise too_large("request-size", "what the steps are told", len(text), MAX_REQUESTS_BYTES, "bytes",
                        "take the taxonomy from git, or use several pipelines")  # fmt: skip
    return text


def check_templates(plan: Plan, argo: Argo, accelerators: Mapping[str, Accelerator]) -> None:
    """Raise HubcError if the Workflow of a plan would have more templates than Argo takes."""
    number = num_templates(plan, argo, accelerators)
    if number > MAX_TEMPLATES:
        raise too_large("templates", "the Workflow", number, MAX_TEMPLATES, "templates", "split the pipeline")
