"""Whether quotas and limits of the namespace leave room for the largest step."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.amounts import demands, quantity, shown
from hubc.backends.argo.kinds import Kind
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.amounts import Demand
    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object

QUOTAS = Kind("resourcequotas")
RANGES = Kind("limitranges")


def check_quotas(case: Case) -> Iterator[Finding]:
    """Say whether what steps ask for fits, of all quotas and of all limit ranges."""
    asked = tuple(demands(case))
    quotas = case.find_all("quotas", QUOTAS)
    yield quotas if isinstance(quotas, Finding) else _quotas([item for item in quotas if _counts(item, case)], asked)
    ranges = case.find_all("limit ranges", RANGES)
    yield ranges if isinstance(ranges, Finding) else _ranges(ranges, asked)


def _counts(quota: Object, case: Case) -> bool:
    """Tell whether a quota is about pods like ours, which say how much they take and have the platform's priority."""
    spec = quota.get("spec", {})
    if "BestEffort" in (spec.get("scopes") or []):
        return False
    for term in (spec.get("scopeSelector") or {}).get("matchExpressions", []):
        if term.get("scopeName") == "PriorityClass" and term.get("operator") == "In":
            return case.argo.priority_class in term.get("values", [])
    return True


def _quotas(quotas: list[Object], asked: tuple[Demand, ...]) -> Finding:
    for quota in quotas:
        status = quota.get("status", {})
        hard = status.get("hard") or quota.get("spec", {}).get("hard") or {}
        used = status.get("used") or {}
        for name, most in hard.items():
            largest = max(asked, key=lambda demand: _wanted(demand, name))
            need, limit, free = _wanted(largest, name), quantity(most), quantity(most) - quantity(used.get(name, 0))
            if need and need > free:
                return _too_little(f"quota '{quota['metadata']['name']}'", name, largest, limit, free)
    names = ", ".join(f"'{item['metadata']['name']}'" for item in quotas)
    return Finding("quotas", "good", f"{names} leave room for {_largest(asked)}" if names else "there are none")


def _too_little(subject: str, name: str, demand: Demand, limit: Decimal, free: Decimal) -> Finding:
    need = shown(_wanted(demand, name), name)
    if _wanted(demand, name) > limit:
        text = f"{demand.who} needs {need} of {name}, and the quota is {shown(limit, name)}"
        return Finding(subject, "bad", text, "ask for a larger quota, or give the step less")
    text = f"{demand.who} needs {need} of {name}, and {shown(max(free, Decimal(0)), name)} of {shown(limit, name)} are free"
    return Finding(subject, "bad", text, "wait until what runs in the namespace has ended, or ask for a larger quota")


def _wanted(demand: Demand, name: str) -> Decimal:
    """Return how much a demand counts against an entry of a quota, such as `requests.memory` or `pods`."""
    if name in ("pods", "count/pods"):
        return Decimal(demand.pods)
    return demand.total(name.removeprefix("requests.").removeprefix("limits."))


def _ranges(ranges: list[Object], asked: tuple[Demand, ...]) -> Finding:
    for item in ranges:
        for limit in item.get("spec", {}).get("limits", []):
            for demand in asked:
                if fault := _beyond(item["metadata"]["name"], limit, demand):
                    return fault
    names = ", ".join(f"'{item['metadata']['name']}'" for item in ranges)
    return Finding("limit ranges", "good", f"{names} allow {_largest(asked)}" if names else "there are none")


def _beyond(name: str, limit: Object, demand: Demand) -> Finding | None:
    """Say if a pod or a container of a demand is outside of what one may have."""
    kind = limit.get("type")
    amounts = {"Pod": demand.each, "Container": demand.container}.get(str(kind), {})
    for resource, amount in amounts.items():
        for word, is_beyond in (("max", amount.__gt__), ("min", amount.__lt__)):
            bound = limit.get(word, {}).get(resource)
            if bound is not None and is_beyond(quantity(bound)):
                allowed = f"{word}imum of a {str(kind).lower()} is {shown(quantity(bound), resource)}"
                text = f"{demand.who} takes {shown(amount, resource)} of {resource}, and the {allowed}"
                return Finding(f"limit range '{name}'", "bad", text, "have it changed, or give the step other resources")
    return None


def _largest(asked: tuple[Demand, ...]) -> str:
    largest = max(asked, key=lambda demand: (demand.total("memory"), demand.total("cpu")))
    return largest.who
