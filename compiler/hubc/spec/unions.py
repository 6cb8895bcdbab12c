"""Pydantic's errors of a value that may be one of several types: those of the type that was probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from hubc.spec.fields import Choice, Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from pydantic_core import ErrorDetails

    from hubc.source import Location

Fault = tuple[Place, "ErrorDetails"]


def merged(faults: Sequence[Fault], type_errors: AbstractSet[str]) -> list[Fault]:
    """Return the faults, those of each choice between types reduced to one alternative's or to one about the whole choice.

    The new fault is of type `no_alternative` if the value fits no type, else `literal_error`.
    """
    kept = [(place, detail) for place, detail in faults if place.choice is None]
    choices: dict[Location, tuple[Choice, dict[str, list[Fault]]]] = {}
    for place, detail in faults:
        if place.choice is not None:
            _, arms = choices.setdefault(place.choice.location, (place.choice, {}))
            arms.setdefault(place.choice.arm, []).append((place, detail))
    for choice, arms in choices.values():
        kept.extend(_meant(choice, list(arms.values()), type_errors))
    return kept


def _meant(choice: Choice, arms: list[list[Fault]], type_errors: AbstractSet[str]) -> list[Fault]:
    at_top = [detail for faults in arms for place, detail in faults if place.location == choice.location]
    inside = [faults for faults in arms if all(place.location != choice.location for place, _ in faults)]
    if inside:
        return min(inside, key=lambda faults: (_wrong_words(faults), len(faults)))
    value = at_top[0]["input"]
    fits = any(detail["type"] not in type_errors | {"literal_error"} for detail in at_top) or (
        isinstance(value, str) and any(detail["type"] == "literal_error" for detail in at_top)
    )
    whole = {"type": "literal_error" if fits else "no_alternative", "loc": choice.location, "msg": "", "input": value}
    return [(Place(choice.location, choice.shape, choice.owner), cast("ErrorDetails", whole))]


def _wrong_words(faults: list[Fault]) -> int:
    """Return how many fixed words and keys are others than this alternative has; the meant one has few."""
    return sum(detail["type"] in ("literal_error", "extra_forbidden") for _, detail in faults)
