"""What pydantic finds, in the words of the person who wrote the spec: one diagnostic for each fault."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from pydantic_core.core_schema import ErrorType

from hub_steps.credentials import mask
from hub_steps.locations import UnpinnedError
from hubc.diagnostics import Diagnostic, did_you_mean, nearest
from hubc.spec.fields import Place, locate
from hubc.spec.remedies import choice_help, describe, key_help, rule_help, type_help
from hubc.spec.unions import merged
from hubc.spec.words import allowed, choice_words, form, type_words, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from hubc.source import Location, Source

PIN = "pin it: '@' and the 40 digits of a commit on a model hub, '@' and the version of a distribution"
MAX_SHOWN = 60
MAX_FAULTS = 200
"""Faults of one file that are put into words: looking for near misses takes about a millisecond each."""

_SHORT_COMMIT = re.compile(r"'([0-9a-f]{7,39})' is a branch or tag")
_BUILT_IN = frozenset(get_args(ErrorType))
_TYPE_ERRORS = frozenset(
    f"{name}_type" for name in ("bool", "dict", "float", "int", "list", "model", "model_attributes", "string", "tuple")
) | {"int_from_float"}
_BOUNDS = {"greater_than": "above", "greater_than_equal": "at least", "less_than": "below", "less_than_equal": "at most"}
_LIMITS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


def diagnostics(source: Source, model: type[BaseModel], errors: Sequence[ErrorDetails]) -> list[Diagnostic]:
    """Return a diagnostic for each fault that pydantic found; several errors of one value are one fault.

    Of more than MAX_FAULTS errors, which nobody makes by hand, the last diagnostic says how many there are besides.
    """
    if len(errors) > MAX_FAULTS:
        place = locate(model, errors[MAX_FAULTS]["loc"]).location
        more = source.diagnostic(place, "invalid-value", f"{len(errors) - MAX_FAULTS} more faults follow, from here on",
                                 "mend those before it first")  # fmt: skip
        return [*diagnostics(source, model, errors[:MAX_FAULTS]), more]
    placed = [(locate(model, detail["loc"]), detail) for detail in errors if not _is_said_elsewhere(detail)]
    faults = merged(placed, _TYPE_ERRORS)
    misspelt = dict(_misspelt(faults))
    return [
        _diagnostic(source, model, place, detail, misspelt)
        for place, detail in faults
        if detail["type"] != "missing" or place.location not in misspelt.values()
    ]


def is_incomplete(detail: ErrorDetails) -> bool:
    """Tell whether a file that extends this one can mend an error by what it adds.

    That are missing keys, and what keys need of each other; but lists are replaced whole, so what they hold is complete.
    """
    if any(isinstance(part, int) for part in detail["loc"]):
        return False
    kind, value = detail["type"], detail["input"]
    return kind == "missing" or (kind == "too_short" and isinstance(value, dict)) or kind not in _BUILT_IN


def _is_said_elsewhere(detail: ErrorDetails) -> bool:
    """Tell whether other diagnostics say it better.

    `empty-value` speaks of every null, which may be all that a rule of the section misses. And pydantic calls a list too
    short when some of its items have faults.
    """
    value = detail["input"]
    if detail["type"] not in _BUILT_IN and isinstance(value, dict) and None in value.values():
        return True
    if detail["type"] == "union_tag_invalid":
        return value[detail["ctx"]["discriminator"].strip("'")] is None
    if value is None and detail["type"] != "extra_forbidden":
        return True
    return detail["type"] == "too_short" and len(value) >= detail["ctx"]["min_length"]


def _misspelt(faults: Sequence[tuple[Place, ErrorDetails]]) -> Iterator[tuple[Location, Location]]:
    """Yield an unknown key and the missing key that it was probably meant to be, each missing one once."""
    missing = {place.location for place, detail in faults if detail["type"] == "missing"}
    for place, detail in faults:
        if detail["type"] == "extra_forbidden":
            siblings = [str(path[-1]) for path in missing if path[:-1] == place.location[:-1]]
            if near := nearest(str(place.location[-1]), siblings):
                meant = (*place.location[:-1], near)
                missing.remove(meant)
                yield place.location, meant


def _diagnostic(
    source: Source, model: type[BaseModel], place: Place, detail: ErrorDetails, misspelt: dict[Location, Location]
) -> Diagnostic:
    location, name = place.location, name_of(place.location)
    if location[-1:] == ("[key]",):
        message = f"the key {show(detail['input'])} must be {type_words(place.shape)}"
        return source.diagnostic(location[:-1], "invalid-value", message, describe(place), key=True)
    match detail["type"]:
        case "extra_forbidden":
            remedy = key_help(place, model, misspelt.get(location))
            return source.diagnostic(location, "unknown-key", f"unknown key {show(location[-1])}", remedy, key=True)
        case "missing":
            return source.diagnostic(location, "missing-key", f"the key '{name}' is missing", describe(place))
        case "union_tag_not_found" | "union_tag_invalid":
            return _tag(source, place, detail)
        case kind if kind in _TYPE_ERRORS or kind == "no_alternative":
            message = f"'{name}' must be {_expected(place, detail)}, not {show(detail['input'])}"
            return source.diagnostic(location, "wrong-type", message, type_help(place, detail))
        case "value_error" if isinstance(error := detail["ctx"]["error"], UnpinnedError):
            short = _SHORT_COMMIT.match(str(error))
            message = f"'{short[1]}' is a short commit, which can come to mean another" if short else str(error)
            return source.diagnostic(location, "unpinned-revision", message, "write all 40 digits" if short else PIN)
        case "value_error":
            return source.diagnostic(location, "invalid-value", str(detail["ctx"]["error"]), describe(place))
        case kind if kind not in _BUILT_IN:
            return _rule_of_a_model(source, model, place, detail)
        case _:
            return source.diagnostic(location, "invalid-value", _refused(place, detail), choice_help(place, detail))


def _tag(source: Source, place: Place, detail: ErrorDetails) -> Diagnostic:
    """Return the diagnostic of a mapping whose kind a key says, when the key is missing, misspelt or unknown."""
    tag, words = place.shape.discriminator, allowed(place.shape)
    if detail["type"] == "union_tag_invalid":
        value = detail["input"][tag]
        message = f"'{tag}' is {show(value)}: it must be {choice_words(words)}"
        return source.diagnostic((*place.location, tag), "invalid-value", message, did_you_mean(str(value), words))
    if near := nearest(tag, detail["input"]):
        remedy = f"did you mean '{tag}'?"
        return source.diagnostic((*place.location, near), "unknown-key", f"unknown key '{near}'", remedy, key=True)
    message = f"'{name_of(place.location)}' needs the key '{tag}': {choice_words(words)}"
    return source.diagnostic(place.location, "missing-key", message, describe(place))


def _rule_of_a_model(source: Source, model: type[BaseModel], place: Place, detail: ErrorDetails) -> Diagnostic:
    """Return the diagnostic of a validator's own error; its context may name a `section` below, and a `help`."""
    context = detail.get("ctx", {})
    section = context.get("section") or {"backend": "backend"}.get(detail["type"])
    location = (*place.location, section) if section else place.location
    remedy = context.get("help") or rule_help(model, detail["type"], place.location, section)
    return source.diagnostic(location, "invalid-value", detail["msg"], remedy, key=True)


def _expected(place: Place, detail: ErrorDetails) -> str:
    brief = {"string_type": "text", "list_type": "a list", "tuple_type": "a list"}
    return brief.get(detail["type"]) or type_words(place.shape)


def _refused(place: Place, detail: ErrorDetails) -> str:
    """Return why a value of the right type is refused."""
    kind, value, name = detail["type"], detail["input"], name_of(place.location)
    context = detail.get("ctx", {})
    if kind in _BOUNDS:
        return f"'{name}' is {written(value)}: it must be {_BOUNDS[kind]} {context[_LIMITS[kind]]:.15g}"
    match kind:
        case "string_pattern_mismatch" if not str(value).strip():
            return f"'{name}' is blank: it must be {form(place.shape)}"
        case "string_too_short":
            needed = form(place.shape) if value == "" else f"text of at least {context['min_length']} characters"
            return f"'{name}' is {show(value) if value else 'empty'}" + (f": it must be {needed}" if needed else "")
        case "string_too_long":
            return f"'{name}' has {len(value)} characters: at most {context['max_length']} are allowed"
        case "too_short":
            return f"'{name}' has {len(value)} items, and needs at least {context['min_length']}"
        case "too_long":
            return f"'{name}' has {len(value)} items: at most {context['max_length']} are allowed"
        case _:
            return f"'{name}' is {show(value)}: it must be {type_words(place.shape)}"


def name_of(location: Location) -> str:
    """Return what a value is called in messages."""
    if not location:
        return "the document"
    return _short(location[-1]) if isinstance(location[-1], str) else f"{_short(str(location[-2]))}[{location[-1]}]"


def show(value: Any) -> str:
    """Return a value as messages quote it: short, and without credentials."""
    if value is None or value == "":
        return "empty" if value is None else "empty text"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int | float) and len(str(value)) <= MAX_SHOWN:
        return written(value)
    return f"'{_short(mask(str(value)))}'"


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
