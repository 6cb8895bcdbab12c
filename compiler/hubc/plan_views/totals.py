"""What all steps of a plan that will run are expected to take together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubc.plan_views.estimate_text import hours_text, money_text, span_text
from hubc.plan_views.phrases import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.estimates.work import Span, WorkEstimate
    from hubc.plan_views.shown import Shown


@dataclass(frozen=True)
class Totals:
    """Sums over those of `steps` that are known, None where none is, and the number of the others.

    `most` is what the time limits allow.
    """

    steps: tuple[str, ...]
    device_hours: tuple[float, float, float] | None
    unknown_device_hours: int
    cost: tuple[float, float, float] | None
    unknown_cost: int
    most_device_hours: float | None
    most_cost: float | None
    unknown_most_cost: int
    currency: str

    def lines(self) -> list[str]:
        """Return the totals for people."""
        found = []
        if self.device_hours:
            hours = span_text(*self.device_hours, hours_text)
            found.append(f"device-hours: {hours}{_and_unknown(self.unknown_device_hours)}")
        if self.cost:
            cost = span_text(*self.cost, money_text)
            found.append(f"cost: {cost} {self.currency}{_and_unknown(self.unknown_cost)}")
        if self.most_device_hours is not None:
            most = ""
            if self.most_cost is not None:
                most = f" and {money_text(self.most_cost)} {self.currency}{_and_unknown(self.unknown_most_cost)}"
            found.append(f"at most, by the time limits: {hours_text(self.most_device_hours)} device-hours{most}")
        return found


def totals(shown: Shown) -> Totals | None:
    """Return the sums over the steps that will run and use accelerators; None if there are none."""
    found: dict[str, WorkEstimate] = {}
    for id, estimate in shown.estimates.items():
        decision = shown.decisions.get(id)
        uses_devices = estimate.work is not None and estimate.work.most_device_hours is not None
        if estimate.work and uses_devices and (decision is None or decision.action == "run"):
            found[id] = estimate.work
    if not found:
        return None
    works = list(found.values())
    hours = [work.device_hours for work in works if work.device_hours]
    costs = [work.cost for work in works if work.cost]
    most_costs = [work.most_cost for work in works if work.most_cost is not None]
    return Totals(
        steps=tuple(found),
        device_hours=_sum(hours),
        unknown_device_hours=len(works) - len(hours),
        cost=_sum(costs),
        unknown_cost=len(works) - len(costs),
        most_device_hours=sum(work.most_device_hours or 0 for work in works),
        most_cost=sum(most_costs) if most_costs else None,
        unknown_most_cost=len(works) - len(most_costs),
        currency=works[0].currency,
    )


def _sum(spans: Sequence[Span]) -> tuple[float, float, float] | None:
    """Return the sums of low, likely and high values."""
    if not spans:
        return None
    return sum(span.low for span in spans), sum(span.likely for span in spans), sum(span.high for span in spans)


def _and_unknown(number: int) -> str:
    return f", and {counted(number, 'step')} unknown" if number else ""
