"""A plan as text: what would run, what is reused and why, with inputs and resources."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hubc.plan import Reference

if TYPE_CHECKING:
    from hubc.plan import External, Plan, Resources, Step
    from hubc.reuse import Decision


def plan_text(plan: Plan, decisions: dict[str, Decision]) -> str:
    """Return the plan for people; without decisions, outputs lie where this machine cannot see them."""
    lines = [f"{plan.pipeline} on {plan.platform}: {len(plan.steps)} steps, plan {plan.digest[:12]}", ""]
    for step in plan.steps:
        lines += [*_step_lines(step, decisions.get(step.id)), ""]
    if decisions:
        running = [step.id for step in plan.steps if decisions[step.id].action == "run"]
        lines.append(f"To run: {', '.join(running) or 'nothing'}. To reuse: {len(plan.steps) - len(running)}.")
    else:
        lines.append("What is already done is decided on the cluster, where the outputs are.")
    return "\n".join(lines)


def plan_json(plan: Plan, decisions: dict[str, Decision]) -> str:
    """Return the plan for programs: its data, its digest, and for each step what will happen to it."""
    data = plan.as_data() | {"digest": plan.digest}
    for step in data["steps"]:
        decision = decisions.get(step["id"])
        step["decision"] = {"action": decision.action, "reason": decision.reason, "run": decision.run} if decision else None
    return json.dumps(data, indent=2)


def _step_lines(step: Step, decision: Decision | None) -> list[str]:
    action = f"{decision.action}: {decision.reason}" if decision else "runs unless its output exists"
    lines = [f"  {step.id} ({step.kind}, key {step.key[:12]})", f"    {action}"]
    inputs = ", ".join(f"{name} = {_input(value)}" for name, value in step.inputs.items())
    return [*lines, f"    inputs: {inputs}", f"    resources: {_resources(step.resources)}"]


def _input(value: Reference | External) -> str:
    if isinstance(value, Reference):
        return f"{value.step}/{value.path}" if value.path else value.step
    if value.documents is not None:
        return f"{len(value.documents)} {'leaf' if len(value.documents) == 1 else 'leaves'} ({value.key[:19]})"
    return value.uri or value.key


def _resources(resources: Resources) -> str:
    parts = [f"{resources.nodes} nodes of"] if resources.nodes > 1 else []
    parts += [f"{resources.cpus} cores,", f"{resources.memory_gib} GiB"]
    if resources.accelerators:
        parts.append(f"and {resources.accelerators} {resources.accelerator}")
    return f"{' '.join(parts)}; at most {resources.timeout_minutes} min"
