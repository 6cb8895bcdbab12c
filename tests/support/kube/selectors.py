"""Label and field selectors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kube.status import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.resources import Resource

Object = dict[str, Any]
_PARTS = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")
_EQUALITY = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$")
CUSTOM_FIELDS = ("metadata.name", "metadata.namespace")


def by_labels(selector: str) -> Callable[[Object], bool]:
    """Return the test that a label selector makes.

    Raises ApiError if it does not parse.
    """
    tests = [_requirement(part.strip()) for part in _PARTS.split(selector) if part.strip()]
    return lambda found: all(test(found["metadata"].get("labels") or {}) for test in tests)


def _requirement(part: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET.match(part):
        key, operator, values = match[1], match[2], {value.strip() for value in match[3].split(",")}
        return lambda labels: (labels.get(key) in values) == (operator == "in")
    if match := _EQUALITY.match(part):
        key, operator, value = match.groups()
        return lambda labels: (labels.get(key) == value) != (operator == "!=")
    if part.startswith("!"):
        return lambda labels: part[1:].strip() not in labels
    if re.search(r"[\s=(]", part):
        raise bad_request(f"unable to parse requirement: found '{part}'")
    return lambda labels: part in labels


def by_fields(selector: str, resource: Resource) -> Callable[[Object], bool]:
    """Return the test that a field selector makes; of custom objects, the real server knows two fields only.

    Raises ApiError if it does not parse.
    """
    tests = []
    for part in filter(None, selector.split(",")):
        match = _EQUALITY.match(part.strip())
        if match is None:
            raise bad_request(f"invalid selector: '{selector}'; can't understand '{part}'")
        path, operator, value = match.groups()
        if resource.is_custom and path not in CUSTOM_FIELDS:
            raise bad_request(f'field label not supported: "{path}"')
        tests.append((path.split("."), value, operator == "!="))
    return lambda found: all((_at(found, path) == value) != unequal for path, value, unequal in tests)


def _at(found: Any, path: list[str]) -> str:
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None else str(found)
