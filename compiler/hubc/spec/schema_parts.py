"""Schemas of specs that need not be whole: a file that extends another, or is only there to be extended.

Such a file may leave keys out, and what its keys need of each other may stand in the other file; unknown keys and values are
checked as ever. Lists are replaced whole when a file is extended, so what stands in them is whole in every file.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

_DEFINITIONS = "#/$defs/"
_PART = "Part"
_WHOLE = ("required", "allOf", "minProperties")
"""Keywords of a mapping that say what must be there."""


def with_parts(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a spec that asks less of files that extend others and of partial ones."""
    definitions: dict[str, Any] = schema["$defs"]
    whole = schema["properties"]
    part = {name: _part(whole[name], definitions) for name in ("metadata", "spec")}
    is_partial = {"required": ["partial"], "properties": {"partial": {"const": True}}}
    extends = {"required": ["extends"]}
    named = {"required": ["metadata"], "properties": {"metadata": whole["metadata"]}}
    conditions = [
        {"if": {"anyOf": [is_partial, extends]}, "then": {"properties": {"spec": part["spec"]}},
         "else": {"required": ["spec"], "properties": {"spec": whole["spec"]}}},
        # A name is not taken over, so a file that is run has its own.
        {"if": is_partial, "then": {"properties": {"metadata": part["metadata"]}}, "else": named},
        {"if": extends, "else": {"required": ["apiVersion"]}},
    ]  # fmt: skip
    described = {key: {"description": whole[key]["description"]} for key in ("metadata", "spec")}
    parts: dict[str, Any] = {}
    _collect(part, definitions, parts)
    return schema | {
        "properties": whole | described,
        "required": ["kind"],
        "allOf": conditions,
        "$defs": definitions | dict(sorted(parts.items())),
    }


def _collect(schema: Any, definitions: dict[str, Any], parts: dict[str, Any]) -> None:
    """Add the parts that a schema refers to, and those that they refer to."""
    for key, inner in schema.items() if isinstance(schema, dict) else enumerate(schema):
        name = inner.removeprefix(_DEFINITIONS).removesuffix(_PART) if key == "$ref" else ""
        if name and inner.endswith(_PART) and f"{name}{_PART}" not in parts:
            parts[f"{name}{_PART}"] = _part(definitions[name], definitions)
            _collect(parts[f"{name}{_PART}"], definitions, parts)
        elif isinstance(inner, dict | list):
            _collect(inner, definitions, parts)


def _part(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of the same values that asks for no keys."""
    copy = deepcopy(schema)
    is_model = "properties" in copy
    if is_model:
        for keyword in _WHOLE:
            copy.pop(keyword, None)
    if copy.get("type") == "object":
        copy.pop("minProperties", None)
    for group in ("properties", "patternProperties"):
        for name, inner in copy.get(group, {}).items():
            copy[group][name] = _part(inner, definitions)
    if isinstance(inner := copy.get("additionalProperties"), dict):
        copy["additionalProperties"] = _part(inner, definitions)
    name = copy.get("$ref", "").removeprefix(_DEFINITIONS)
    if name and _part(definitions[name], definitions) != definitions[name]:
        copy["$ref"] += _PART
    return copy
