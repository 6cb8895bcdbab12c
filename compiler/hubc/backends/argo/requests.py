"""What the steps of a plan are told, as one document that the first pod of a run hands out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.digest import digest
from hubc.backends.argo.layout import layout
from hubc.backends.argo.names import workflow_name
from hubc.backends.argo.serialize import to_json

if TYPE_CHECKING:
    from hubc.plan import Plan, Step
    from hubc.spec.cluster import Argo

VERSION = "hubc.requests/v1"
COMMON = ("version", "publish_root", "model_cache", "identity")
"""What all steps of a plan are told alike."""


def requests_document(plan: Plan, argo: Argo) -> str:
    """Return the requests of all steps as JSON, a line each.

    What several steps share stands in it once: what all are told, documents by their digest, and the parameters that are as
    those of the first step of the same kind.
    """
    documents: dict[str, Any] = {}
    requests = {step.id: _request(plan, step, argo, documents) for step in plan.steps}
    shared: dict[str, dict[str, Any]] = {}
    for request in requests.values():
        usual = shared.setdefault(request["kind"], request["parameters"])
        request["parameters"] = {
            name: value for name, value in request["parameters"].items() if name not in usual or usual[name] != value
        }
    common = {name: next(iter(requests.values()))[name] for name in COMMON if requests}
    for request in requests.values():
        for name in common:
            del request[name]
    record = plan.run_record(layout(argo).outputs, "").rstrip("/")
    head = f'{{"version":{to_json(VERSION)},\n"record":{to_json(record)},\n'
    parts = {"common": common, "documents": documents, "parameters": shared, "requests": requests}
    return head + ",\n".join(f"{to_json(name)}:{{{_lines(entries)}}}" for name, entries in parts.items()) + "}\n"


def _request(plan: Plan, step: Step, argo: Argo, documents: dict[str, Any]) -> dict[str, Any]:
    """Return a step's request, with the digest of documents instead of these; they are added to `documents`."""
    where = layout(argo)
    told = plan.request(step, workflow_name(plan), where.outputs, where.published, where.models)
    found: dict[str, Any] = told.model_dump(mode="json", exclude_none=True)
    # Nothing is a value among parameters, and only among them.
    found["parameters"] = told.parameters
    for given in found["inputs"].values():
        if "documents" in given:
            key = digest(given["documents"])
            documents[key] = given["documents"]
            given["documents"] = {"digest": key}
    return found


def _lines(entries: dict[str, Any]) -> str:
    return ",".join(f"\n{to_json(key)}:{to_json(value)}" for key, value in entries.items())
