"""A YAML source to a validated spec: every fault at its line and column, with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from hub_steps.locations import UnpinnedError
from hubc.checks.text import check_text
from hubc.diagnostics import Diagnostic, did_you_mean
from hubc.errors import SpecError
from hubc.spec.common import API_VERSION
from hubc.spec.fields import keys_at, meaning_at
from hubc.spec.pipeline import Pipeline
from hubc.spec.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from hubc.source import Location, Source

KINDS: dict[str, type[Pipeline] | type[Platform]] = {"Pipeline": Pipeline, "Platform": Platform}
M = TypeVar("M", bound=BaseModel)

PIN = "pin it: '@' and the 40 digits of a commit on a model hub, '@' and the version of a distribution"

_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "list_type": "a list",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}


def read_spec(source: Source) -> Pipeline | Platform:
    """Turn a source into the spec that its `kind` names.

    Raises SpecError with every fault of the document.
    """
    extra = check_text(source, braces=True)
    found: list[Diagnostic] = []
    for key, allowed in {"apiVersion": (API_VERSION,), "kind": tuple(KINDS)}.items():
        value = source.data.get(key)
        if not isinstance(value, str) or value not in allowed:
            rule, message = ("invalid-value", f"unknown {key} {_show(value)}") if key in source.data else (
                "missing-key", f"the key '{key}' is missing")  # fmt: skip
            remedy = " or ".join(f"'{key}: {word}'" for word in allowed)
            found.append(source.diagnostic((key,), rule, message, f"write {remedy}"))
    if found:
        raise SpecError(_without_secrets(found, extra))
    return validate(source, KINDS[source.data["kind"]], extra)


def validate(source: Source, model: type[M], extra: list[Diagnostic]) -> M:
    """Return the source's data as `model`.

    Raises SpecError with the faults that the model finds and the `extra` ones.
    """
    try:
        spec = model.model_validate(source.data)
        found: list[Diagnostic] = []
        reported: set[Location] = set()
    except ValidationError as error:
        details = [detail for detail in error.errors(include_url=False) if not _is_said_elsewhere(detail)]
        found = [_diagnostic(source, model, detail) for detail in details]
        reported = {detail["loc"] for detail in details}
    found.extend(_empty(source, location) for location in _nulls(source.data, ()) if location not in reported)
    if found or extra:
        raise SpecError(_without_secrets(found, extra))
    return spec


def _is_said_elsewhere(detail: ErrorDetails) -> bool:
    """Tell whether other diagnostics say it better: pydantic calls a list too short when some of its items have faults."""
    return detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]


def _without_secrets(found: list[Diagnostic], extra: list[Diagnostic]) -> list[Diagnostic]:
    """Return all diagnostics but those `found` where a credential stands, since their messages may repeat it."""
    secrets = {(item.line, item.column) for item in extra if item.rule == "secret-literal"}
    return [*(item for item in found if (item.line, item.column) not in secrets), *extra]


def _nulls(value: Any, location: Location) -> Iterator[Location]:
    if value is None:
        yield location
    elif isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _nulls(item, (*location, key))


def _empty(source: Source, location: Location) -> Diagnostic:
    """`empty-value`: a key whose lines are all commented out would silently count as left out."""
    return source.diagnostic(location, "empty-value", f"'{_name(location)}' has no value",
                             "write a value ('{}' for a section of defaults), or remove the key", key=True)  # fmt: skip


def _diagnostic(source: Source, model: type[BaseModel], detail: ErrorDetails) -> Diagnostic:
    location: Location = detail["loc"]
    if location[-1:] == ("[key]",):
        return source.diagnostic(location[:-1], "invalid-value", f"the key {_show(detail['input'])} {_lower(detail['msg'])}",
                                 _describe(model, location[:-2]), key=True)  # fmt: skip
    name = _name(location)
    match detail["type"]:
        case "extra_forbidden":
            allowed = keys_at(model, location[:-1])
            return source.diagnostic(location, "unknown-key", f"unknown key '{name}'", did_you_mean(name, allowed), key=True)
        case "missing":
            return source.diagnostic(location, "missing-key", f"the key '{name}' is missing", _describe(model, location))
        case kind if kind in _EXPECTED:
            message = f"'{name}' must be {_EXPECTED[kind]}, not {_show(detail['input'])}"
            return source.diagnostic(location, "wrong-type", message, _type_help(kind, detail, model))
        case "value_error":
            error = detail["ctx"]["error"]
            rule = "unpinned-revision" if isinstance(error, UnpinnedError) else "invalid-value"
            remedy = PIN if rule == "unpinned-revision" else _describe(model, location)
            return source.diagnostic(location, rule, str(error), remedy)
        case "one_of":
            return source.diagnostic(location, "invalid-value", detail["msg"], "write one of the two", key=True)
        case "order":
            return source.diagnostic(location, "invalid-value", detail["msg"], "swap them, or change one", key=True)
        case "publish_needs":
            remedy = "add what is missing, or remove 'publish'"
            return source.diagnostic((*location, "publish"), "invalid-value", detail["msg"], remedy, key=True)
        case "too_short":
            message = f"'{name}' has {len(detail['input'])} items, and needs at least {detail['ctx']['min_length']}"
            return source.diagnostic(location, "invalid-value", message, _describe(model, location))
        case "string_pattern_mismatch" if detail["ctx"]["pattern"] == r"\S":
            return source.diagnostic(location, "invalid-value", f"'{name}' is blank", _describe(model, location))
        case _:
            message = f"'{name}' is {_show(detail['input'])}: {_lower(detail['msg'])}"
            return source.diagnostic(location, "invalid-value", message, _describe(model, location))


def _type_help(kind: str, detail: ErrorDetails, model: type[BaseModel]) -> str:
    if kind == "string_type" and isinstance(detail["input"], int | float):
        return "quote it, so that it is read as text"
    if kind in ("int_type", "float_type") and isinstance(detail["input"], str) and detail["input"].isdecimal():
        return "remove the quotes, so that it is read as a number"
    return _describe(model, detail["loc"])


def _name(location: Location) -> str:
    if not location:
        return "the document"
    return str(location[-1]) if isinstance(location[-1], str) else f"{location[-2]}[{location[-1]}]"


def _lower(message: str) -> str:
    text = message.removeprefix("Input ").removeprefix("String ").removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _show(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


def _describe(model: type[BaseModel], location: Location) -> str:
    text = meaning_at(model, location)
    return f"'{_name(location)}' means: {text}" if text else "see the schema of this kind of spec"
