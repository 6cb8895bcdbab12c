"""Verification of rendered manifests before anything is sent: what a cluster would refuse, or wait for in vain.

What is found is a fault of hubc or of a platform, never of a pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.budgets import document_faults, manifest_faults, metadata_faults
from hubc.backends.argo.verify.conditions import condition_faults
from hubc.backends.argo.verify.environment import environment_faults
from hubc.backends.argo.verify.finding import Finding, finding, under
from hubc.backends.argo.verify.objects import flow
from hubc.backends.argo.verify.pods import flow_pods, object_pods
from hubc.backends.argo.verify.references import reference_findings
from hubc.backends.argo.verify.schemas import HARMLESS, schema_faults
from hubc.backends.argo.verify.security import base_faults, pod_faults
from hubc.backends.argo.verify.tags import tag_faults
from hubc.backends.argo.verify.tasks import graph_faults
from hubc.backends.argo.verify.templates import template_faults
from hubc.backends.argo.verify.training import training_faults
from hubc.backends.argo.verify.values import value_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault
    from hubc.backends.argo.verify.objects import Flow, Manifest

__all__ = ["Finding", "verify"]


def verify(documents: list[dict[str, Any]]) -> list[Finding]:
    """Return what is wrong with the documents of one rendering; nothing is if a cluster takes and runs them."""
    found = [finding(document, fault) for document in documents for fault in _faults(document)]
    return list(dict.fromkeys([*found, *reference_findings(documents)]))


def _faults(document: dict[str, Any]) -> Iterator[Fault]:
    fields = list(schema_faults(document))
    yield from fields
    if any(message != HARMLESS for _, message in fields):
        return
    found = flow(document)
    yield from document_faults(document)
    yield from metadata_faults(found, document)
    yield from value_faults(document)
    yield from tag_faults(document, found)
    if found is None:
        yield from _pods_of_object(document)
        return
    yield from _flow_faults(found)
    for each in found.manifests:
        yield from under(each.path, _manifest_faults(found, each))


def _flow_faults(found: Flow) -> Iterator[Fault]:
    yield from template_faults(found)
    yield from graph_faults(found)
    yield from condition_faults(found)
    if found.templates:
        yield from base_faults(found.path, found.data.get("securityContext"))
    for pod in flow_pods(found):
        yield from pod_faults(pod)


def _manifest_faults(found: Flow, manifest: Manifest) -> Iterator[Fault]:
    fields = list(schema_faults(manifest.data, whole=manifest.is_whole))
    yield from fields
    if any(message != HARMLESS for _, message in fields):
        return
    yield from manifest_faults(found, manifest)
    yield from metadata_faults(None, manifest.data)
    yield from value_faults(manifest.data)
    if manifest.is_whole:
        yield from training_faults(manifest)
        yield from _pods_of_object(manifest.data)


def _pods_of_object(data: dict[str, Any]) -> Iterator[Fault]:
    pods = list(object_pods(data))
    for pod in pods:
        yield from pod_faults(pod)
    if data.get("kind") == "TrainJob":
        yield from environment_faults(("spec", "trainer"), (data.get("spec") or {}).get("trainer") or {})
        if not any(pod.containers for pod in pods):
            yield (
                ("spec", "runtimePatches"),
                "it is needed, and missing: nothing else makes the trainer's pods secure",
            )
