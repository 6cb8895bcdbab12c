"""When a resource template ends: its conditions must parse, look at what there is, and be true at some time.

A wrong condition is no error on a cluster: Argo waits for it for ever, or takes a training that has just begun for done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from hubc.backends.argo.verify.finding import items, name_of
from hubc.backends.argo.verify.objects import manifest
from hubc.backends.argo.verify.selectors import Requirement, SelectorError, parse
from hubc.backends.argo.verify.status import possible_values, type_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Manifest, Template

TRAINING = ("JobSet", "TrainJob", "PyTorchJob", "Job")
"""Kinds that end."""
ACTIONS = ("get", "create", "apply", "delete", "patch", "replace")
CONDITIONS = ("successCondition", "failureCondition")
_TRUE_OF_NOTHING = ("!=", "notin", "!")


def condition_faults(flow: Flow) -> Iterator[Fault]:
    """Yield what is wrong with the resource templates of a spec, but for their objects."""
    for path, template in flow.templates:
        if template.get("resource") is not None:
            yield from _resource_faults(flow, (*path, "resource"), template, manifest(path, template))


def _resource_faults(flow: Flow, path: Path, template: Template, found: Manifest | None) -> Iterator[Fault]:
    resource = template["resource"]
    action = resource.get("action")
    if action not in ACTIONS:
        yield (*path, "action"), f"'{action}' is no action; {', '.join(ACTIONS)} are"
    if action == "delete":
        yield from _delete_faults(path, template)
        return
    if found is None:
        yield (*path, "manifest"), "it is no JSON object" if resource.get("manifest") else "it is needed, and missing"
        return
    if action in ("create", "apply") and not resource.get("setOwnerReference"):
        yield (*path, "setOwnerReference"), "without it, the object outlives its Workflow"
    yield from _missing_faults(flow, path, found)
    yield from _condition_faults(path, found)


def _missing_faults(flow: Flow, path: Path, found: Manifest) -> Iterator[Fault]:
    """Yield the conditions that are missing: something waits for the end of each training, whatever it is."""
    given = [key for key in CONDITIONS if found.template["resource"].get(key)]
    if found.kind not in TRAINING or len(given) == len(CONDITIONS):
        return
    if given:
        (missing,) = set(CONDITIONS) - set(given)
        yield (*path, missing), f"it is needed beside '{given[0]}', and missing: Argo would wait for ever, or not at all"
    elif found.is_whole and not any(_waits_for(each, found) for each in flow.manifests):
        yield path, f"no template waits for the {found.kind}"
    elif not found.is_whole and next(items(found.template, "outputs", "parameters"), None) is None:
        yield path, "it waits for nothing, and reads nothing"


def _waits_for(waiting: Manifest, found: Manifest) -> bool:
    resource = waiting.template["resource"]
    same = name_of(waiting.data) == name_of(found.data)
    return same and resource.get("action") == "get" and all(resource.get(key) for key in CONDITIONS)


def _delete_faults(path: Path, template: Template) -> Iterator[Fault]:
    resource = template["resource"]
    for key in CONDITIONS:
        if resource.get(key):
            yield (*path, key), "what is deleted fulfils no condition"
    if next(items(template, "outputs", "parameters"), None):
        yield (*path[:-1], "outputs"), "what is deleted has no outputs"
    if not resource.get("manifest") and not resource.get("flags"):
        yield (*path, "manifest"), "neither it nor flags say what to delete"


def _condition_faults(path: Path, found: Manifest) -> Iterator[Fault]:
    parsed: dict[str, list[Requirement]] = {}
    for key in CONDITIONS:
        text = found.template["resource"].get(key)
        try:
            parsed[key] = parse(text or "")
        except SelectorError as error:
            yield (*path, key), f"it is no label selector: {error}"
            continue
        for requirement in parsed[key]:
            if (fault := _requirement_fault(found, requirement)) is not None:
                yield (*path, key), f"'{requirement}': {fault}"
    for requirement in set(parsed.get(CONDITIONS[0], ())) & set(parsed.get(CONDITIONS[1], ())):
        yield (*path, CONDITIONS[1]), f"'{requirement}' is what success is, too"


def _requirement_fault(found: Manifest, requirement: Requirement) -> str | None:
    """Return why a requirement is never fulfilled, or too early; None if it makes sense."""
    kind, key, operator = found.kind, requirement.key, requirement.operator
    if not key.startswith("status."):
        return "it does not look at the status"
    there = type_at(str(found.data.get("apiVersion")), kind, key)
    if there is None:
        return f"a {kind} has nothing there"
    if operator in _TRUE_OF_NOTHING:
        return "it is true before there is a status"
    if operator == "exists":
        return None
    if isinstance(there, type) and issubclass(there, BaseModel):
        return "an object has no value"
    return _value_fault(requirement, there, possible_values(kind, key))


def _value_fault(requirement: Requirement, there: object, possible: tuple[str, ...] | None) -> str | None:
    if requirement.operator in (">", "<"):
        return None if there is int else "what is there is no number"
    for value in requirement.values:
        if not value:
            return "nothing is ever equal to nothing"
        if there is int and not value.isdecimal():
            return f"a number is never '{value}'"
        if possible is not None and value not in possible:
            return f"it is never '{value}'; it is one of {', '.join(possible)}"
    return None
