"""Rules over all specs of a repository: what one alone cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from hubc.checks.publishing import targets
from hubc.printable import printable
from hubc.silence import remaining

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
        self._told: set[tuple[str, str]] = set()

    def add(self, source: Source, plan: Plan) -> list[Diagnostic]:
        """Return the names and publishing targets of a pipeline that one added before has as well, at both places.

        The one that was added first is told of the next only, and not if a comment in its file silences that.
        """
        found: list[Diagnostic] = []
        for rule, value, place in _claims(plan):
            own = _owner(rule, source, place)
            first = self._first.setdefault((rule, value), own)
            if first.file != own.file:
                found.append(_shared(value, own, first))
                if (rule, value) not in self._told:
                    found += () if first.is_silenced else [_shared(value, first, own)]
                    self._told.add((rule, value))
        return found


class _Owner(NamedTuple):
    """A pipeline that claims something: its file, where it says so, and where it gives its own name."""

    file: str
    claim: Diagnostic
    name: Diagnostic
    is_silenced: bool

    @property
    def line(self) -> str:
        """The line that claims it, for messages; empty if another file does."""
        return f", on line {self.claim.line}" if self.claim.file == printable(self.file) else ""


def _owner(rule: str, source: Source, place: Location) -> _Owner:
    claim, name = (source.diagnostic(where, rule, "", "") for where in (place, ("metadata", "name")))
    return _Owner(source.text.file, claim, name, is_silenced=not remaining([claim], [source]))


def _claims(plan: Plan) -> Iterator[Claim]:
    yield "duplicate-name", plan.pipeline, ("metadata", "name")
    for target, place in targets(plan):
        yield "duplicate-target", target, place


def _shared(value: str, own: _Owner, other: _Owner) -> Diagnostic:
    """Return the diagnostic for one of two claims; what both extend is no place to tell them apart."""
    is_inherited = own.claim.file == other.claim.file and own.claim.file != printable(own.file)
    place = own.name if is_inherited else own.claim
    verb, why = _WHY[place.rule]
    message = f"{other.file} {verb} '{value}' as well{other.line}"
    return replace(place, message=message, help=f"name another one: {why}")
