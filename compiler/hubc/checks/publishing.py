"""Rules over publishing: what can be done today, and who publishes where."""

from __future__ import annotations

from collections import defaultdict
from posixpath import normpath
from typing import TYPE_CHECKING

from hub_steps.parameters.publish import OBJECT_STORES
from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.plan import Plan
    from hubc.source import Location
    from hubc.spec.platform import Platform

Target = tuple[str, "Location"]
"""What is published to, in one spelling, and the place in a spec that says so."""
TO_A_FOLDER = "publish to a folder, as in 'location: published/my-model', and take it from there"


def unavailable(view: View) -> Iterator[Finding]:
    """`unavailable`: better now than after the training; such a plan can be looked at, and is refused where it would run."""
    publish = view.spec.publish
    if publish is None or view.platform is None:
        return
    if fault := _location_fault(publish.location or "", view.platform):
        yield Finding(("spec", "publish", "location"), "unavailable", fault, TO_A_FOLDER)
    if publish.huggingface:
        yield Finding(("spec", "publish", "huggingface"), "unavailable",
                      "this version cannot publish to the Hugging Face Hub", TO_A_FOLDER, at_key=True)  # fmt: skip
    if publish.github:
        yield Finding(("spec", "publish", "github"), "unavailable", "this version cannot tell GitHub what was published",
                      "remove the section; the published folder has a change log", at_key=True)  # fmt: skip


def _location_fault(location: str, platform: Platform) -> str | None:
    scheme, colon, _ = location.partition("://")
    if not colon or scheme not in OBJECT_STORES:
        return None
    if scheme != "s3":
        return f"this version cannot publish to an object store of this kind ('{scheme}://')"
    if platform.spec.argo is None or platform.spec.argo.storage.location is None:
        return f"platform '{platform.metadata.name}' keeps its outputs in no object store, and has no keys for one ('s3://')"
    return None


def targets(plan: Plan) -> dict[Target, set[str]]:
    """Return where the plan publishes, and which steps do so."""
    found: dict[Target, set[str]] = defaultdict(set)
    for step in plan.steps:
        if step.kind == "publish":
            if location := step.parameters["location"]:
                scheme, colon, path = location.rpartition("://")
                found[f"{scheme}{colon}{normpath(path)}", ("spec", "publish", "location")].add(step.id)
            if hub := step.parameters["huggingface"]:
                url = (hub["url"] or "https://huggingface.co").rstrip("/")
                found[f"{url}/{hub['repository'].lower()}", ("spec", "publish", "huggingface", "repository")].add(step.id)
    return found


def shared_targets(view: View) -> Iterator[Finding]:
    """`duplicate-target`: of several variants of a matrix, the last would replace the others."""
    for (target, place), steps in targets(view.plan).items():
        if len(steps) > 1:
            yield Finding(place, "duplicate-target", f"{len(steps)} variants of the matrix publish to '{target}'",
                          "publish the variant that you choose with a spec of its own")  # fmt: skip
