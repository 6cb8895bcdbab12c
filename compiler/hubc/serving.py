"""Teachers and judges whose weights a pipeline names: who serves beside a step, and who computes on its accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.locations import ModelLocation
from hubc.plan import External

if TYPE_CHECKING:
    from hubc.plan import Step

ROLES = ("teacher", "judge")
ITSELF = "step"
"""The step among those who compute."""


def served(step: Step) -> dict[str, ModelLocation]:
    """Return role -> weights of the models that a step wants served."""
    found = {role: step.inputs[role] for role in ROLES if role in step.inputs}
    return {role: ModelLocation.parse(each.uri) for role, each in found.items() if isinstance(each, External) and each.uri}


def computing(step: Step) -> list[str]:
    """Return who computes at once on a node of a step: itself, unless it only asks, and each model served beside it."""
    roles = list(served(step))
    return roles if roles and step.kind == "generate" else [ITSELF, *roles]


def shares(step: Step) -> dict[str, int]:
    """Return who computes -> how many of the step's accelerators on a node; what is left over goes to the first of them."""
    who = computing(step)
    each, left = divmod(step.resources.devices, len(who))
    return {name: each + (number < left) for number, name in enumerate(who)}
