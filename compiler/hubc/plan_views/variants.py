"""The variants of a matrix: their table, and what sets the steps of a variant apart."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hubc.plan_views.phrases import columns, counted
from hubc.plan_views.values import short

if TYPE_CHECKING:
    from hubc.plan import Plan, Step


def variant_lines(plan: Plan) -> list[str]:
    """Return the variants of a matrix as a table, one row for each; none without a matrix."""
    if not plan.variants:
        return []
    fields = _fields(plan)
    rows = [("variant", *fields)]
    rows += [(name, *(short(values.get(field)) for field in fields)) for name, values in plan.variants.items()]
    together = f", at most {plan.max_parallel} of their steps at once" if plan.max_parallel else ""
    return [f"{counted(len(plan.variants), 'variant')}{together}", *(f"  {line}" for line in columns(rows))]


def variant_text(plan: Plan, step: Step) -> str:
    """Return the swept values that all variants of a step share; nothing for a step of every variant."""
    if not plan.variants or set(step.variants) >= set(plan.variants):
        return ""
    mine = [plan.variants[name] for name in step.variants if name in plan.variants]
    fields = _fields(plan)
    ends = Counter(field.rpartition(".")[2] for field in fields)
    shared = []
    for field in fields:
        values = {short(values.get(field)) for values in mine}
        if len(values) == 1:
            end = field.rpartition(".")[2]
            shared.append(f"{end if ends[end] == 1 else field} {values.pop()}")
    return f"for {', '.join(shared)}" if shared else ""


def _fields(plan: Plan) -> list[str]:
    return list(dict.fromkeys(field for values in plan.variants.values() for field in values))
