"""Which model a step wants served in a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.parameters.evaluate import EvaluateParameters, MtBench, MtBenchBranch
from hub_steps.parameters.generate import GenerateParameters

if TYPE_CHECKING:
    from hub_steps.parameters.declared import Declared
    from hub_steps.parameters.teacher import ServedModel, Teacher


def served_model(parameters: Declared, role: str) -> ServedModel | None:
    """Return the model that a step with these parameters wants served as its `teacher` or `judge`, if it wants one."""
    asked: Teacher | None = None
    if isinstance(parameters, GenerateParameters):
        asked = parameters.teacher if role == "teacher" else parameters.judge
    elif isinstance(parameters, EvaluateParameters) and isinstance(parameters.suite, MtBench | MtBenchBranch):
        asked = parameters.suite.judge if role == "judge" else None
    return asked.serve if asked else None
