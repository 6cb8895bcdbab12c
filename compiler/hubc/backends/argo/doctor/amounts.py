"""How much a step takes of a cluster, and Kubernetes' way to write amounts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from hubc.backends.argo.pod import step_amounts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.plan import Step

_SUFFIXES = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
_SUFFIXES |= {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)}
_SUFFIXES |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)}


@dataclass(frozen=True)
class Demand:
    """What somebody asks for: amounts of each of several pods, and of the largest container in one."""

    who: str
    pods: int
    each: dict[str, Decimal]
    container: dict[str, Decimal]

    def total(self, resource: str) -> Decimal:
        """Return the amount of all pods together."""
        return self.each.get(resource, Decimal(0)) * self.pods


def demands(case: Case) -> Iterator[Demand]:
    """Yield what each step of the plan takes; without a plan, what one does whose spec says nothing."""
    if case.plan is None:
        defaults = case.platform.spec.defaults
        amounts = {"cpu": Decimal(defaults.cpus), "memory": Decimal(defaults.memory_gib * 1024**3)}
        yield Demand("a step with the platform's defaults", 1, amounts, amounts)
        return
    for step in case.plan.steps:
        yield _demand(case, step)


def quantity(text: object) -> Decimal:
    """Return an amount such as `500m`, `16Gi` or `1e3` as a number; what cannot be read counts as nothing."""
    written = str(text).strip()
    for length in (2, 1):
        if (suffix := written[-length:]) in _SUFFIXES and len(written) > length:
            return _number(written[:-length]) * _SUFFIXES[suffix]
    return _number(written)


def shown(amount: Decimal, resource: str) -> str:
    """Return an amount for people: memory and storage in GiB, everything else as it is."""
    if resource.rpartition(".")[2] in ("memory", "storage", "ephemeral-storage"):
        return f"{amount / 1024**3:.4g} GiB"
    return f"{amount.normalize():f}"


def _demand(case: Case, step: Step) -> Demand:
    each: dict[str, list[Decimal]] = {}
    for amounts in step_amounts(step, case.accelerators).values():
        for name, amount in amounts.items():
            each.setdefault(name, []).append(quantity(amount))
    whole, largest = ({name: fold(found) for name, found in each.items()} for fold in (_sum, max))
    return Demand(f"step '{step.id}'", step.resources.nodes, whole, largest)


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(0)
