"""A YAML source to a validated spec: every fault at its line and column, with what to do about it."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from hub_steps.locations import UnpinnedError
from hubc.checks.text import check_text
from hubc.diagnostics import Diagnostic, did_you_mean
from hubc.errors import SpecError
from hubc.spec.common import API_VERSION
from hubc.spec.pipeline import Pipeline
from hubc.spec.platform import Platform

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from hubc.source import Location, Source

KINDS: dict[str, type[Pipeline] | type[Platform]] = {"Pipeline": Pipeline, "Platform": Platform}
M = TypeVar("M", bound=BaseModel)

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
    if source.data.get("apiVersion") not in (None, API_VERSION):
        raise SpecError([source.diagnostic(("apiVersion",), "invalid-value",
                                           f"unknown apiVersion {_show(source.data['apiVersion'])}",
                                           f"write 'apiVersion: {API_VERSION}'")])  # fmt: skip
    kind = source.data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        rule, message = ("missing-key", "the key 'kind' is missing") if kind is None else (
            "invalid-value", f"unknown kind {_show(kind)}")  # fmt: skip
        raise SpecError([source.diagnostic(("kind",), rule, message, "write 'kind: Pipeline' or 'kind: Platform'")])
    return validate(source, KINDS[kind], extra=check_text(source, braces=True))


def validate(source: Source, model: type[M], extra: list[Diagnostic]) -> M:
    """Return the source's data as `model`.

    Raises SpecError with the faults that the model finds and the `extra` ones.
    """
    try:
        spec = model.model_validate(source.data)
    except ValidationError as error:
        found = [_diagnostic(source, model, detail) for detail in error.errors(include_url=False)]
        raise SpecError([*found, *extra]) from None
    if extra:
        raise SpecError(extra)
    return spec


def _diagnostic(source: Source, model: type[BaseModel], detail: ErrorDetails) -> Diagnostic:
    location: Location = detail["loc"]
    name = str(location[-1]) if location else "the document"
    match detail["type"]:
        case "extra_forbidden":
            allowed = _fields_at(model, location[:-1])
            message, help = f"unknown key '{name}'", did_you_mean(name, allowed)
            return source.diagnostic(location, "unknown-key", message, help, key=True)
        case "missing":
            return source.diagnostic(location, "missing-key", f"the key '{name}' is missing", _describe(model, location))
        case kind if kind in _EXPECTED:
            message = f"'{name}' must be {_EXPECTED[kind]}, not {_show(detail['input'])}"
            return source.diagnostic(location, "wrong-type", message, _type_help(kind, detail, model))
        case "value_error":
            error = detail["ctx"]["error"]
            rule = "unpinned-revision" if isinstance(error, UnpinnedError) else "invalid-value"
            help = "pin it: add '@' and a commit or version" if rule == "unpinned-revision" else _describe(model, location)
            return source.diagnostic(location, rule, str(error), help)
        case "one_of" | "order" | "publish_needs" | "duplicate":
            return source.diagnostic(location, "invalid-value", detail["msg"], _describe(model, location))
        case _:
            message = f"'{name}' is {_show(detail['input'])}: {_lower(detail['msg'])}"
            return source.diagnostic(location, "invalid-value", message, _describe(model, location))


def _type_help(kind: str, detail: ErrorDetails, model: type[BaseModel]) -> str:
    if kind == "string_type" and isinstance(detail["input"], int | float):
        return "quote it, so that it is read as text"
    return _describe(model, detail["loc"])


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
    found = _field_at(model, location)
    if found is None or not found.description:
        return "see the schema of this kind of spec"
    return f"'{location[-1]}' means: {' '.join(found.description.split())}"


def _field_at(model: type[BaseModel], location: Location) -> FieldInfo | None:
    found: FieldInfo | None = None
    here: Any = model
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            found = here.model_fields.get(str(part))
            here = _unwrap(found.annotation) if found else None
        else:
            here = _element(here)
    return found


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    here: Any = model
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            found = here.model_fields.get(str(part))
            here = _unwrap(found.annotation) if found else None
        else:
            here = _element(here)
    return list(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _unwrap(annotation: Any) -> Any:
    """Strip `Annotated` and `| None` from a type."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next((arm for arm in get_args(annotation) if arm is not type(None)), None)
    if hasattr(annotation, "__metadata__"):
        return _unwrap(get_args(annotation)[0])
    return annotation


def _element(annotation: Any) -> Any:
    """Return the type of the values in a dict, tuple or list type."""
    arguments = [arm for arm in get_args(annotation) if arm is not Ellipsis]
    return _unwrap(arguments[-1]) if arguments else None
