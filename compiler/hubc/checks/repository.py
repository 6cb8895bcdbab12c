"""Rules over all specs of a repository: what one alone cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hubc.checks.publishing import targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.plan import Plan
    from hubc.source import Location, Source

Claim = tuple[str, str, "Location"]
"""The rule, what a pipeline takes for itself alone, and the place that says so."""


_WHY = {
    "duplicate-name": ("is called", "runs and outputs of the two would lie in one folder"),
    "duplicate-target": ("publishes to", "the later run would replace what the other published"),
}


class Claims:
    """What the pipelines of a repository take for themselves alone; of each pipeline, no more than that is kept."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], _Owner] = {}

    def add(self, source: Source, plan: Plan) -> list[Diagnostic]:
        """Return the names and publishing targets of a pipeline that one added before has as well."""
        found: list[Diagnostic] = []
        for rule, value, place in _claims(plan):
            owner = self._first.setdefault((rule, value), _owner(source, place))
            if owner.file != source.text.file:
                found.append(_shared(rule, value, source, place, owner))
        return found


class _Owner(NamedTuple):
    """The pipeline that claimed something first: its file, the file that says so, and the line if that is the same."""

    file: str
    where: str
    line: int | None


def _owner(source: Source, place: Location) -> _Owner:
    file, where = source.text.file, source.place(place)[0].text.file
    return _Owner(file, where, source.position(place)[0] if where == file else None)


def _claims(plan: Plan) -> Iterator[Claim]:
    yield "duplicate-name", plan.pipeline, ("metadata", "name")
    for target, place in targets(plan):
        yield "duplicate-target", target, place


def _shared(rule: str, value: str, source: Source, place: Location, owner: _Owner) -> Diagnostic:
    """Return the diagnostic for the second of two claims; what both extend is no place to tell them apart."""
    line = f", on line {owner.line}" if owner.line else ""
    verb, why = _WHY[rule]
    message, remedy = f"{owner.file} {verb} '{value}' as well{line}", f"name another one: {why}"
    if source.place(place)[0].text.file == owner.where and source.text.file != owner.where:
        place = ("metadata", "name")
    return source.diagnostic(place, rule, message, remedy)
