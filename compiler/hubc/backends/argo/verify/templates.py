"""Templates, as Argo's controller checks them, and as hubc means them.

Source: argo-workflows, workflow/validate/validate.go, and the rules in its resource schemas.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.names import MAX_TEMPLATES
from hubc.backends.argo.verify.finding import items
from hubc.backends.argo.verify.limits import MAX_INPUTS, MAX_TEMPLATE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template

KINDS = ("container", "resource", "dag", "steps")
OTHER_KINDS = ("containerSet", "script", "suspend", "http", "plugin", "data", "inline")
INNER = ("dag", "steps")
"""Kinds that only call others."""
LOCATIONS = ("s3", "git", "http", "artifactory", "hdfs", "raw", "oss", "gcs", "azure", "plugin")
SOURCES = {"container": ("path",), "resource": ("jsonPath", "jqFilter"), "dag": ("parameter",), "steps": ("parameter",)}
"""Kind of a template -> where its output parameters can come from."""
PATCHED = {"terminationGracePeriodSeconds"}
"""What a patch of a pod may hold: it passes by all other rules."""
_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_PARAMETER = re.compile(r"[-a-zA-Z0-9_]+")


def template_faults(flow: Flow) -> Iterator[Fault]:
    """Yield what is wrong with the templates of a spec, and with what the spec says for all of them."""
    yield from _spec_faults(flow)
    templates = (*flow.path, "templates")
    yield from name_faults(templates, [template.get("name") for _, template in flow.templates])
    if len(flow.templates) > MAX_TEMPLATES:
        yield templates, f"there are {len(flow.templates)} templates, the limit is {MAX_TEMPLATES}"
    for path, template in flow.templates:
        kinds = [kind for kind in (*KINDS, *OTHER_KINDS) if template.get(kind) is not None]
        if len(kinds) != 1 or kinds[0] not in KINDS:
            yield path, f"a template has exactly one of {', '.join(KINDS)}, this one has {', '.join(kinds) or 'none'}"
            continue
        yield from _template_faults(flow, path, template, kinds[0])


def name_faults(path: Path, names: list[str | None]) -> Iterator[Fault]:
    """Yield what is wrong with the names of templates or tasks in one list."""
    for number, name in enumerate(names):
        if not name:
            yield (*path, number, "name"), "it is needed, and missing"
        elif len(name) > MAX_TEMPLATE_NAME:
            yield (*path, number, "name"), f"it has {len(name)} characters, the limit is {MAX_TEMPLATE_NAME}"
        elif not _NAME.fullmatch(name):
            yield (*path, number, "name"), f"'{name}' is no name: letters, digits and '-' are, after a letter or digit"
    yield from repeated(path, names)


def repeated(path: Path, names: Iterable[str | None], what: str = "name") -> Iterator[Fault]:
    """Yield what stands twice in a list where it may stand once."""
    for name, times in Counter(name for name in names if name).items():
        if times > 1:
            yield path, f"{times} entries have the {what} '{name}'"


def _spec_faults(flow: Flow) -> Iterator[Fault]:
    spec, path = flow.data, flow.path
    if spec.get("workflowTemplateRef"):
        if spec.get("templates"):
            yield (*path, "templates"), "a Workflow that refers to a WorkflowTemplate has none of its own"
        return
    for key in ("entrypoint", "onExit"):
        name = spec.get(key)
        if name not in flow.by_name and (name or key == "entrypoint"):
            yield (*path, key), f"no template is called '{name}'" if name else "it is needed, and missing"
    if (spec.get("templateDefaults") or {}).get("retryStrategy"):
        yield (*path, "templateDefaults", "retryStrategy"), "it would also repeat DAGs; it belongs to the templates of pods"
    if not spec.get("serviceAccountName"):
        yield (*path, "serviceAccountName"), "it is needed, and missing: pods would get the account 'default'"
    if spec.get("automountServiceAccountToken") is False and not (spec.get("executor") or {}).get("serviceAccountName"):
        yield (*path, "executor", "serviceAccountName"), "it is needed where pods get no token, and missing"
    for key in ("mutex", "semaphore"):
        if (spec.get("synchronization") or {}).get(key):
            yield (*path, "synchronization", key), f"Argo Workflows 4 has only '{key}es' and the like, which are lists"


def _template_faults(flow: Flow, path: Path, template: Template, kind: str) -> Iterator[Fault]:
    wrong = ("activeDeadlineSeconds", "timeout", "retryStrategy") if kind in INNER else ("parallelism", "failFast")
    for key in wrong:
        if template.get(key) is not None:
            yield (*path, key), f"a template with '{kind}' cannot have it"
    if (retry := template.get("retryStrategy")) and not retry.get("retryPolicy"):
        yield (*path, "retryStrategy", "retryPolicy"), "it is needed, and missing: what is repeated would depend on Argo"
    if kind == "container" and not template["container"].get("image"):
        yield (*path, "container", "image"), "it is needed, and missing"
    for group in ("inputs", "outputs"):
        yield from _parameter_faults((*path, group), template.get(group) or {})
        yield from _artifact_faults((*path, group), template.get(group) or {}, kind)
    for place, parameter in items(template, "outputs", "parameters"):
        yield from _source_faults((*path, *place), parameter, kind)
    if kind == "container":
        yield from _mount_faults(path, template)
    if (patch := template.get("podSpecPatch")) is not None:
        yield from _patch_faults((*path, "podSpecPatch"), patch)


def _parameter_faults(path: Path, group: dict[str, Any]) -> Iterator[Fault]:
    for key in ("parameters", "artifacts"):
        names = [each["name"] for _, each in items(group, key)]
        yield from repeated((*path, key), names)
        for number, name in enumerate(names):
            if not _PARAMETER.fullmatch(name):
                yield (*path, key, number, "name"), f"'{name}' is no name: letters, digits, '-' and '_' are"
    if path[-1] == "inputs" and (number := len(group.get("parameters") or [])) > MAX_INPUTS:
        yield (*path, "parameters"), f"there are {number} inputs, the limit is {MAX_INPUTS}"


def _artifact_faults(path: Path, group: dict[str, Any], kind: str) -> Iterator[Fault]:
    for place, artifact in items(group, "artifacts"):
        if kind == "container" and not artifact.get("path"):
            yield (*path, *place, "path"), "it is needed, and missing"
        if kind in INNER and artifact.get("path"):
            yield (*path, *place, "path"), "only the artifacts of pods have a path"
        if len(found := [key for key in LOCATIONS if artifact.get(key)]) > 1:
            yield (*path, *place), f"an artifact has one place, this one has {', '.join(found)}"
        if path[-1] == "inputs" and artifact.get("from"):
            yield (*path, *place, "from"), "the inputs of a template get theirs by its call"


def _source_faults(path: Path, parameter: dict[str, Any], kind: str) -> Iterator[Fault]:
    found = [key for key, value in (parameter.get("valueFrom") or {}).items() if value is not None and key != "default"]
    if len(found) != 1 or found[0] not in SOURCES[kind]:
        yield (*path, "valueFrom"), f"an output of a '{kind}' has exactly one of {', '.join(SOURCES[kind])}"


def _mount_faults(path: Path, template: Template) -> Iterator[Fault]:
    """Yield the artifacts that would lie where something else is already."""
    mounts = [mount["mountPath"] for _, mount in items(template, "container", "volumeMounts")]
    artifacts = [artifact.get("path") for _, artifact in items(template, "inputs", "artifacts")]
    yield from repeated((*path, "inputs", "artifacts"), artifacts, "path")
    for number, place in enumerate(artifacts):
        if place in mounts:
            yield (*path, "inputs", "artifacts", number, "path"), f"a volume is mounted at '{place}'"


def _patch_faults(path: Path, text: str) -> Iterator[Fault]:
    try:
        patch = json.loads(text)
    except json.JSONDecodeError as error:
        yield path, f"it is no JSON: {error}"
        return
    other = sorted(set(patch) - PATCHED) if isinstance(patch, dict) else [text[:60]]
    if other:
        yield path, f"only {', '.join(sorted(PATCHED))} can be patched, not {other[0]}"
