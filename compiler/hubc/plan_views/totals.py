"""What all steps of a plan that will run are expected to take together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubc.estimates.work import Span, WorkEstimate
    from hubc.plan_views.shown import Shown


@dataclass(frozen=True)
class Totals:
    """Sums over `steps`; None where nothing is known. `most` is what the time limits allow."""

    steps: tuple[str, ...]
    device_hours: tuple[float, float, float] | None
    cost: tuple[float, float, float] | None
    most_device_hours: float | None
    most_cost: float | None
    currency: str

    def lines(self) -> list[str]:
        """Return the totals for people."""
        found = []
        if self.device_hours:
            found.append(f"device-hours: {_span(self.device_hours, '.1f')}")
        if self.cost:
            found.append(f"cost: {_span(self.cost, ',.2f')} {self.currency}")
        if self.most_device_hours is not None:
            most = f" and {self.most_cost:,.2f} {self.currency}" if self.most_cost is not None else ""
            found.append(f"at most, by the time limits: {self.most_device_hours:,.1f} device-hours{most}")
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
    return Totals(
        steps=tuple(found),
        device_hours=_sum([work.device_hours for work in works]),
        cost=_sum([work.cost for work in works]),
        most_device_hours=_add([work.most_device_hours for work in works]),
        most_cost=_add([work.most_cost for work in works]),
        currency=works[0].currency,
    )


def _sum(spans: list[Span | None]) -> tuple[float, float, float] | None:
    """Return the sums of low, likely and high values; None unless all are known, since a part would mislead."""
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return None
    return sum(span.low for span in known), sum(span.likely for span in known), sum(span.high for span in known)


def _add(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _span(span: tuple[float, float, float], form: str) -> str:
    low, likely, high = (format(value, form) for value in span)
    return likely if low == high else f"{likely} likely ({low} to {high})"
