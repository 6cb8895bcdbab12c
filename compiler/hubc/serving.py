"""Teachers and judges whose weights a pipeline names: who serves beside a step, and who computes on its accelerators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import PARAMETERS
from hub_steps.parameters import served_model

if TYPE_CHECKING:
    from hub_steps.parameters import ServedModel
    from hubc.plan import Step

ROLES = ("teacher", "judge")
ITSELF = "step"
"""The step among those who compute."""


def served(step: Step) -> dict[str, ServedModel]:
    """Return role -> model of those that a step wants served."""
    # Their weights are inputs of the step: most steps have none, and need no second look at their parameters.
    if not any(role in step.inputs for role in ROLES):
        return {}
    parameters = PARAMETERS[step.kind].model_validate(step.parameters)
    return {role: model for role in ROLES if (model := served_model(parameters, role))}


def computing(step: Step) -> list[str]:
    """Return who computes at once on a node of a step: itself, unless it only asks, and each model served beside it."""
    roles = list(served(step))
    return roles if roles and step.kind == "generate" else [ITSELF, *roles]


def shares(step: Step) -> dict[str, int]:
    """Return who computes -> how many of the step's accelerators on a node; what is left over goes to the first of them."""
    who = computing(step)
    each, left = divmod(step.resources.devices, len(who))
    return {name: each + (number < left) for number, name in enumerate(who)}
