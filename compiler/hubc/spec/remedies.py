"""What to do about a fault of a spec: the key or word that was meant, the text to write, or what the field means."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hub_steps.parameters import SecretReference
from hubc.diagnostics import did_you_mean, nearest
from hubc.scalars import plain_scalar
from hubc.spec.fields import Place, below, locate
from hubc.spec.words import allowed, default_of, written
from hubc.vocabulary import meant_by

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

    from hubc.source import Location

MAX_DEFAULT = 60
MAX_HOMES = 3
"""Sections that the remedy for a misplaced key names; a key that more of them have says little."""

_BOOLEANS = dict.fromkeys(("yes", "on", "y", "true"), "true") | dict.fromkeys(("no", "off", "n", "false"), "false")
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]{1,20},[0-9]{1,20}(?:[eE][-+]?[0-9]{1,3})?")


def key_help(place: Place, model: type[BaseModel], meant: Location | None) -> str:
    """Return the remedy for an unknown key: the key that was meant, where it belongs, or all that may stand there."""
    name = str(place.location[-1])
    if meant:
        return f"did you mean '{meant[-1]}'?"
    if nearest(name, place.siblings):
        return did_you_mean(name, place.siblings)
    return _of_another_kind(place, model) or _of_another_section(place, model) or did_you_mean(name, place.siblings)


def _of_another_kind(place: Place, model: type[BaseModel]) -> str:
    """Return for which words of the key that decides the section's kind a key is; empty if for none."""
    union = locate(model, place.location[:-1]).shape
    name = str(place.location[-1])
    key = nearest(name, union.keys) if union.tags else None
    words = [word for word, arm in union.tags.items() if arm.model and key in arm.model.model_fields]
    if not words:
        return ""
    only = f"only for {union.discriminator} {' and '.join(words)}"
    if key != name:
        return f"did you mean '{key}'? it is {only}"
    return f"'{key}' is {only}; here: {', '.join(sorted(place.siblings))}"


def _of_another_section(place: Place, model: type[BaseModel]) -> str:
    """Return which sections have a key, or what a word of another tool is called there; empty if none or too many."""
    name, here = str(place.location[-1]), tuple(part for part in place.location[:-1] if isinstance(part, str))
    for known in (name, *meant_by(name)):
        homes = sorted({path[:-1] for path, _ in below(model) if path[-1] == known})
        homes = [path for path in homes if path[: len(here)] == here] or homes
        if 0 < len(homes) <= MAX_HOMES:
            sections = " or ".join(".".join(path) or "the top" for path in homes)
            if known != name:
                return f"did you mean '{known}', which belongs to {sections}?"
            return f"'{known}' belongs to {sections}; here: {', '.join(sorted(place.siblings))}"
    return ""


def choice_help(place: Place, detail: ErrorDetails) -> str:
    """Return the remedy for a value that is not one of the allowed ones, or out of range."""
    words = allowed(place.shape)
    near = nearest(str(detail["input"]), words) if words else None
    return f"did you mean '{near}'?" if near else describe(place)


def type_help(place: Place, detail: ErrorDetails) -> str:
    """Return the remedy for a value of the wrong type: how to write it, where that can be told."""
    kind, value = detail["type"], detail["input"]
    if kind == "string_type" and isinstance(value, int | float):
        return "quote it, so that it is read as text"
    return (_text_help(place, value) if isinstance(value, str) else "") or describe(place)


def _text_help(place: Place, text: str) -> str:
    """Return how to write what stands there as text; empty if that cannot be told."""
    types, word = {arm.type for arm in place.shape.arms}, text.strip().lower()
    if bool in types and word in _BOOLEANS:
        return f"write {_BOOLEANS[word]}, without quotes"
    if types & {int, float}:
        if _is_number(text):
            return "remove the quotes, so that it is read as a number"
        if _DECIMAL_COMMA.fullmatch(text):
            return f"write {text.replace(',', '.')}: numbers have a decimal point"
    return _mapping_help(place)


def _is_number(text: str) -> bool:
    try:
        value = plain_scalar(text)
    except ValueError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping_help(place: Place) -> str:
    model = place.shape.model
    if model is SecretReference:
        return "refer to a secret by its name: {secret: NAME, key: KEY}"
    needed = [name for name, field in model.model_fields.items() if field.is_required()] if model else []
    if len(needed) != 1:
        return ""
    here = place.location[-1]
    return f"write '{needed[0]}: ...' below '{here}:'" if isinstance(here, str) else f"write '- {needed[0]}: ...'"


def rule_help(model: type[BaseModel], kind: str, location: Location, section: str | None) -> str:
    """Return the remedy for what a section's own rule refuses; `kind` is the type of its error."""
    match kind:
        case "backend":
            return "remove 'backend' to get the algorithm's own, or choose another 'algorithm'"
        case "conflict":
            return f"change '{section}' or what it does not go with"
        case "twice":
            return "remove one of the two"
        case _ if section:
            return f"add what is missing, or remove '{section}'"
    return f"see 'hubc explain {field_path(model, location)}'"


def describe(place: Place) -> str:
    """Return what a field means, its default and an example."""
    if not place.meaning or place.owner is None:
        return "see 'hubc explain'"
    model, name = place.owner
    field = model.model_fields[name]
    parts = [f"'{name}' means: {place.meaning}"]
    if (default := default_of(field)) is not None and len(default) <= MAX_DEFAULT:
        parts.append(f"Default: {default}.")
    if place.shape.examples:
        parts.append(f"Example: {written(place.shape.examples[0])}")
    return " ".join(parts)


def field_path(model: type[BaseModel], location: Location) -> str:
    """Return how `hubc explain` calls what stands at a location."""
    kind = {"Pipeline": (), "Platform": ("platform",), "GenerationFile": ("generation",)}.get(model.__name__, ("leaf",))
    return ".".join([*kind, *(part for part in location if isinstance(part, str))])
