"""Labels and annotations of a Workflow: what it is, for people in the Argo UI and for `hubc status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.digest import digest
from hubc.backends.argo.names import plan_labels
from hubc.backends.argo.serialize import to_json

if TYPE_CHECKING:
    from hubc.origin import Origin
    from hubc.plan import Plan

COMMIT = "hubc.dev/commit"
PULL_REQUEST = "hubc.dev/pull-request"
SPEC = "hubc.dev/spec"
PLAN_DIGEST = "hubc.dev/plan-digest"
MANIFEST_DIGEST = "hubc.dev/manifest-digest"
"""Digest of what an object asks for: one plan is rendered otherwise when its platform changes."""
PLATFORM = "hubc.dev/platform"
STEPS = "hubc.dev/steps"


def labels(plan: Plan, origin: Origin) -> dict[str, str]:
    """Return what Workflows are found by."""
    known = {COMMIT: origin.commit, PULL_REQUEST: origin.pull_request}
    return {**plan_labels(plan), **{name: str(value) for name, value in known.items() if value is not None}}


def notes(plan: Plan, origin: Origin) -> dict[str, str]:
    """Return what people and hubc read of a Workflow."""
    steps = [
        {"id": s.id, "kind": s.kind, "key": s.key, "needs": list(s.needs), "nodes": s.resources.nodes} for s in plan.steps
    ]
    return {
        "workflows.argoproj.io/title": f"{plan.pipeline} on {plan.platform}",
        "workflows.argoproj.io/description": _describe(plan),
        PLATFORM: plan.platform,
        PLAN_DIGEST: plan.digest,
        SPEC: origin.spec,
        STEPS: to_json(steps),
    }


def stamped(document: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest with the digest of its spec among the annotations."""
    metadata = document["metadata"]
    notes = {**metadata["annotations"], MANIFEST_DIGEST: digest(document["spec"])}
    return {**document, "metadata": {**metadata, "annotations": notes}}


def _describe(plan: Plan) -> str:
    """Return markdown; two braces of a user are written so that only the browser puts them together."""
    number = f"Plan `{plan.digest}`, {len(plan.steps)} steps."
    return "\n\n".join(filter(None, [plan.description.strip(), number])).replace("{{", "&#123;&#123;")
