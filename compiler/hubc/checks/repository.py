"""Rules over all specs of a repository: what one alone cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.publishing import targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.examine import Examined
    from hubc.plan import Plan
    from hubc.source import Location, Source

Claim = tuple[str, str, "Location"]
"""The rule, what a pipeline takes for itself alone, and the place that says so."""


_WHY = {
    "duplicate-name": ("is called", "runs and outputs of the two would lie in one folder"),
    "duplicate-target": ("publishes to", "the later run would replace what the other published"),
}


def check_repository(examined: Iterable[Examined]) -> list[Diagnostic]:
    """Return the names and publishing targets that two pipelines share; those without a plan claim nothing."""
    found: list[Diagnostic] = []
    first: dict[tuple[str, str], tuple[Source, Location]] = {}
    for item in examined:
        if item.source is None or item.plan is None:
            continue
        for rule, value, place in _claims(item.plan):
            there, its_place = first.setdefault((rule, value), (item.source, place))
            if there.text.file != item.source.text.file:
                found.append(_shared(rule, value, (item.source, place), (there, its_place)))
    return found


def _claims(plan: Plan) -> Iterator[Claim]:
    yield "duplicate-name", plan.pipeline, ("metadata", "name")
    for target, place in targets(plan):
        yield "duplicate-target", target, place


def _shared(rule: str, value: str, here: tuple[Source, Location], there: tuple[Source, Location]) -> Diagnostic:
    """Return the diagnostic for the second of two claims; what both extend is no place to tell them apart."""
    source, place = here
    other, other_place = there
    where = other.place(other_place)[0].text.file
    line = f", on line {other.position(other_place)[0]}" if where == other.text.file else ""
    verb, why = _WHY[rule]
    message, remedy = f"{other.text.file} {verb} '{value}' as well{line}", f"name another one: {why}"
    if source.place(place)[0].text.file == where and source.text.file != where:
        place = ("metadata", "name")
    return source.diagnostic(place, rule, message, remedy)
