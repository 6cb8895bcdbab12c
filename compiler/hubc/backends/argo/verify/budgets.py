"""Names, labels and sizes of what a cluster stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.names import MAX_JOB_NAME, MAX_LABEL
from hubc.backends.argo.serialize import MAX_MANIFEST_BYTES
from hubc.backends.argo.verify.braces import BRACES, fill
from hubc.backends.argo.verify.finding import items, walk
from hubc.backends.argo.verify.limits import MAX_ANNOTATION_BYTES, MAX_CRON_NAME
from hubc.backends.argo.verify.syntax import DNS_LABEL, JOB_NAME, key_fault, value_fault
from hubc.backends.argo.verify.tags import OF_WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Manifest

_METADATA = ("metadata", "podMetadata", "workflowMetadata")
_MAX_NAMES = {"CronWorkflow": MAX_CRON_NAME, "JobSet": MAX_JOB_NAME, "TrainJob": MAX_JOB_NAME}


def document_faults(document: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is too large about a document, and what is wrong with its name."""
    # As the API server gets it.
    found = len(json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode())
    if found > MAX_MANIFEST_BYTES:
        yield (), f"it has {found} bytes, the limit is {MAX_MANIFEST_BYTES}"
    name = (document.get("metadata") or {}).get("name")
    if name is None:
        yield ("metadata", "name"), "it is needed, and missing: what has another name each time cannot be found again"
    else:
        yield from _name_faults(("metadata", "name"), str(document.get("kind")), name)


def metadata_faults(flow: Flow | None, data: dict[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with the labels and annotations anywhere in data."""
    for path, value in walk(data):
        if len(path) < 2 or path[-2] not in _METADATA or not isinstance(value, dict):
            continue
        if path[-1] == "labels":
            yield from _label_faults(flow, path, value)
        elif path[-1] == "annotations":
            yield from _annotation_faults(path, value)


def manifest_faults(flow: Flow, manifest: Manifest) -> Iterator[Fault]:
    """Yield what is wrong with the names that an object gets, in each call of its template."""
    name = (manifest.data.get("metadata") or {}).get("name")
    if name is None:
        yield ("metadata", "name"), "it is needed, and missing: a retry would make a second object"
        return
    for each in _filled(flow, manifest.template.get("name"), name):
        yield from _name_faults(("metadata", "name"), manifest.kind, each)
        for pod in _longest_pods(manifest.data):
            if len(whole := f"{each}{pod}") > MAX_LABEL:
                yield ("metadata", "name"), f"a pod's name '{whole}' has {len(whole)} characters, the limit is {MAX_LABEL}"
    yield from _manifest_label_faults(flow, manifest)


def _manifest_label_faults(flow: Flow, manifest: Manifest) -> Iterator[Fault]:
    """Yield what is wrong with the labels that an object and its pods get, in each call of its template."""
    for path, value in walk(manifest.data):
        if len(path) > 1 and path[-2:] == ("metadata", "labels") and isinstance(value, dict):
            for key, text in value.items():
                for each in _filled(flow, manifest.template.get("name"), text):
                    if (fault := value_fault(each)) is not None:
                        yield (*path, key), fault


def _name_faults(path: Path, kind: str, name: str) -> Iterator[Fault]:
    limit = _MAX_NAMES.get(kind, MAX_LABEL)
    pattern = JOB_NAME if kind in ("JobSet", "TrainJob", "PyTorchJob", "Job", "Service") else DNS_LABEL
    if len(name) > limit:
        yield path, f"'{name}' has {len(name)} characters, the limit for a {kind} is {limit}"
    if BRACES not in name and not pattern.fullmatch(name):
        yield path, f"'{name}' is no name: lower-case letters, digits and '-' are, a letter first"


def _longest_pods(data: dict[str, Any]) -> Iterator[str]:
    """Yield what the longest names of a job's pods have after the job's own name."""
    spec = data.get("spec") or {}
    for _, group in items(spec, "replicatedJobs"):
        pods = ((group.get("template") or {}).get("spec") or {}).get("parallelism") or 1
        yield f"-{group['name']}-{(group.get('replicas') or 1) - 1}-{pods - 1}-abcde"
    if data.get("kind") == "Job":
        yield f"-{(spec.get('parallelism') or 1) - 1}-abcde"
    for kind, group in (spec.get("pytorchReplicaSpecs") or {}).items():
        yield f"-{kind.lower()}-{(group.get('replicas') or 1) - 1}"


def _label_faults(flow: Flow | None, path: Path, labels: dict[str, str]) -> Iterator[Fault]:
    for key, value in labels.items():
        template = flow.data["templates"][path[len(flow.path) + 1]] if flow and _is_in_template(flow, path) else {}
        faults = [key_fault(key), *(value_fault(each) for each in _filled(flow, template.get("name"), value))]
        yield from (((*path, key), fault) for fault in faults if fault)


def _is_in_template(flow: Flow, path: Path) -> bool:
    return path[: len(flow.path) + 1] == (*flow.path, "templates")


def _annotation_faults(path: Path, annotations: dict[str, str]) -> Iterator[Fault]:
    yield from (((*path, key), fault) for key in annotations if (fault := key_fault(key)))
    if (found := sum(len(f"{key}{value}".encode()) for key, value in annotations.items())) > MAX_ANNOTATION_BYTES:
        yield path, f"they have {found} bytes, the limit is {MAX_ANNOTATION_BYTES}"


def _filled(flow: Flow | None, template: str | None, text: str) -> Iterator[str]:
    """Yield what becomes of a text in each call of its template, as far as that is known."""
    if BRACES not in text:
        yield text
        return
    if flow is None:
        return
    known = {OF_WORKFLOW[0]: flow.name} if flow.name else {}
    found = {}
    for call in flow.calls_of(template or "") or [{}]:
        found[fill(text, {**known, **{f"inputs.parameters.{name}": value for name, value in call.items()}})] = True
    yield from (each for each in found if BRACES not in each)
