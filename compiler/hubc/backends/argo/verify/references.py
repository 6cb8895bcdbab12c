"""What the documents of one rendering have to do with each other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.finding import Finding, finding, name_of
from hubc.backends.argo.verify.objects import flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault
    from hubc.backends.argo.verify.objects import Flow


def reference_findings(documents: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield documents that replace each other, and references between them to what is not there."""
    names = Counter((str(document.get("kind")), name_of(document)) for document in documents)
    for document in documents:
        if names[str(document.get("kind")), name_of(document)] > 1:
            yield finding(document, (("metadata", "name"), "two documents of one kind have this name"))
    templates = {name_of(each): each for each in documents if each.get("kind") == "WorkflowTemplate"}
    for document in documents:
        found = flow(document)
        if found and isinstance(found.data.get("workflowTemplateRef"), dict):
            yield from (finding(document, fault) for fault in _faults(found, templates))


def _faults(found: Flow, templates: dict[Any, dict[str, Any]]) -> Iterator[Fault]:
    name, path = found.data["workflowTemplateRef"].get("name"), (*found.path, "workflowTemplateRef", "name")
    if name not in templates:
        yield path, f"no WorkflowTemplate '{name}' is rendered with it"
        return
    meant = flow(templates[name])
    if found.data["workflowTemplateRef"].get("clusterScope"):
        yield (*path[:-1], "clusterScope"), "the template is rendered into a namespace"
    for key in ("entrypoint", "onExit"):
        entry = found.data.get(key)
        if entry and meant and entry not in meant.by_name:
            yield (*found.path, key), f"the WorkflowTemplate has no template '{entry}'"
