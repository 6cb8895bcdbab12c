"""The kinds of patch that the API takes."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from kube.status import ApiError, bad_request

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
KINDS = (MERGE, STRATEGIC, JSON, APPLY)


def merged(base: Any, patch: Any) -> Any:
    """Return `base` changed by a JSON merge patch: null removes, lists are replaced."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = dict(base) if isinstance(base, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(base: dict[str, Any], operations: Any) -> dict[str, Any]:
    """Return `base` changed by a JSON patch.

    Raises ApiError if an operation does not fit.
    """
    result = deepcopy(base)
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    for operation in operations:
        _operate(result, operation)
    return result


def _operate(target: Any, operation: dict[str, Any]) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
    try:
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        key: Any = int(last) if isinstance(target, list) and last != "-" else last
        _change(target, key, operation)
    except (KeyError, IndexError, ValueError, TypeError):
        raise ApiError(422, f"the server rejected our request due to an error in our request: {operation}") from None


def _change(target: Any, key: Any, operation: dict[str, Any]) -> None:
    match operation["op"]:
        case "remove":
            del target[key]
        case "test":
            if target[key] != operation["value"]:
                raise ValueError(key)
        case "replace":
            target[key]  # must be there
            target[key] = operation["value"]
        case "add" if isinstance(target, list):
            target.insert(len(target) if key == "-" else key, operation["value"])
        case "add":
            target[key] = operation["value"]
        case other:
            raise ValueError(other)
