"""What the steps of a plan are told, as one document that the first pod of a run hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.bundle import Bundle
from hubc.backends.argo.layout import layout
from hubc.backends.argo.names import workflow_name
from hubc.backends.argo.serialize import to_json

if TYPE_CHECKING:
    from hubc.plan import Plan
    from hubc.spec.cluster import Argo


def requests_document(plan: Plan, argo: Argo) -> str:
    """Return the requests of all steps as JSON, each on a line of its own, so that differences can be read."""
    where, run = layout(argo), workflow_name(plan)
    requests = [plan.request(step, run, where.outputs, where.published, where.models) for step in plan.steps]
    bundle = Bundle.pack(requests, plan.run_record(where.outputs, "").rstrip("/"))
    return _lines({name: getattr(bundle, name) for name in Bundle.model_fields}, depth=2) + "\n"


def _lines(data: Any, depth: int) -> str:
    """Return JSON with a line for each entry of a mapping, and of the mappings in it, as deep as asked."""
    if depth == 0 or not isinstance(data, dict):
        return to_json(data)
    return "{" + ",".join(f"\n{to_json(key)}:{_lines(value, depth - 1)}" for key, value in data.items()) + "}"
