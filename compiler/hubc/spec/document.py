"""A YAML source to a validated spec: every fault at its line and column, with what to do about it.

What words the faults is imported when there is one: most files have none, and start faster without.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from hubc.checks.text import without_secrets
from hubc.diagnostics import nearest
from hubc.errors import SpecError
from hubc.spec.common import API_VERSION
from hubc.spec.generation import GenerationFile
from hubc.spec.pipeline import Pipeline
from hubc.spec.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source

AnySpec: TypeAlias = Pipeline | Platform | GenerationFile
KINDS: dict[str, type[AnySpec]] = {"Pipeline": Pipeline, "Platform": Platform, "GenerationPipeline": GenerationFile}
M = TypeVar("M", bound=BaseModel)


def read_spec(source: Source) -> AnySpec | None:
    """Turn a source into the spec that its `kind` names; None for a partial one that is good and incomplete.

    Raises SpecError with every fault of its shape.
    """
    found = [fault for key, words in {"apiVersion": (API_VERSION,), "kind": tuple(KINDS)}.items()
             if (fault := _head(source, key, words))]  # fmt: skip
    if found:
        raise SpecError(found)
    spec, found = _checked(source, KINDS[source.data["kind"]], is_partial=source.data.get("partial") is True)
    if found:
        raise SpecError(found)
    return spec


def _head(source: Source, key: str, allowed: tuple[str, ...]) -> Diagnostic | None:
    """Return what is wrong with one of the keys that say what the file is."""
    value = source.data.get(key)
    if isinstance(value, str) and value in allowed:
        return None
    remedy = "write " + " or ".join(f"'{key}: {word}'" for word in allowed)
    if key in source.data:
        from hubc.spec.messages import show

        near = nearest(str(value), allowed)
        remedy = f"did you mean '{near}'?" if near else remedy
        return source.diagnostic((key,), "invalid-value", f"unknown {key} {show(value)}", remedy)
    for other in source.data:
        if nearest(other, [key]):
            return source.diagnostic((other,), "unknown-key", f"unknown key '{other}'", f"did you mean '{key}'?", key=True)
    return source.diagnostic((key,), "missing-key", f"the key '{key}' is missing", remedy)


def validate(source: Source, model: type[M], extra: list[Diagnostic]) -> M:
    """Return the source's data as `model`.

    Raises SpecError with the faults that the model finds and the `extra` ones.
    """
    spec, found = _checked(source, model, is_partial=False)
    if spec is None or found or extra:
        raise SpecError(without_secrets([*found, *extra]))
    return spec


MAX_EMPTY = 200
"""Keys without a value that are reported; nobody leaves more by hand."""


def _checked(source: Source, model: type[M], *, is_partial: bool) -> tuple[M | None, list[Diagnostic]]:
    """Return the data as `model`, if they are, and what is wrong with them; of a partial spec, not what is missing."""
    spec: M | None = None
    found: list[Diagnostic] = []
    try:
        spec = model.model_validate(source.data)
    except ValidationError as error:
        from hubc.spec.messages import diagnostics, is_incomplete

        errors = [detail for detail in error.errors(include_url=False) if not (is_partial and is_incomplete(detail))]
        found = diagnostics(source, model, errors)
    reported = {(item.file, item.line, item.column) for item in found}
    empty = [_empty(source, location) for location in islice(_nulls(source.data, ()), MAX_EMPTY)]
    found.extend(item for item in empty if (item.file, item.line, item.column) not in reported)
    return spec, found


def _nulls(value: dict[str, Any] | list[Any], location: Location) -> Iterator[Location]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if item is None:
            yield (*location, key)
        elif isinstance(item, dict | list):
            yield from _nulls(item, (*location, key))


def _empty(source: Source, location: Location) -> Diagnostic:
    """`empty-value`: a key whose lines are all commented out would silently count as left out."""
    from hubc.spec.messages import name_of

    return source.diagnostic(location, "empty-value", f"'{name_of(location)}' has no value",
                             "write a value ('{}' for a section of defaults), or remove the key", key=True)  # fmt: skip
