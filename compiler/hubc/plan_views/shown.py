"""What all views of a plan show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.estimates.step import StepEstimate
    from hubc.plan import Plan
    from hubc.plan_views.difference import Difference
    from hubc.reuse import Decision


@dataclass(frozen=True)
class Shown:
    """A plan and what is known of it; no `decisions` where the outputs lie beyond this machine."""

    plan: Plan
    decisions: Mapping[str, Decision] = field(default_factory=dict)
    estimates: Mapping[str, StepEstimate] = field(default_factory=dict)
    against: Difference | None = None
