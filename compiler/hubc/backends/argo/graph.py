"""The graph of a Workflow: one DAG of tasks, and one for each group of variants of a matrix that share steps."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.names import ENTRYPOINT, PREPARE, TELL, is_distributed, job_name

if TYPE_CHECKING:
    from hubc.plan import Plan, Step

Template = dict[str, Any]
MAX_GROUPS = 100
"""DAGs of variants in one Workflow; where there are more groups, a DAG takes several of them."""


def dags(plan: Plan, names: dict[str, str], *, tells_start: bool) -> list[Template]:
    """Return the DAG templates of a plan, the entrypoint first; `names` has the template of each step."""
    groups = _packed(groups_of(plan))
    member = {step.id: name for name, steps in groups.items() for step in steps}
    tasks: list[dict[str, Any]] = [{"name": PREPARE, "template": PREPARE}]
    if tells_start:
        tasks.append({"name": TELL, "template": TELL})
    shared = [step for step in plan.steps if step.id not in member]
    tasks += [_task(plan, step, names, step.needs, f"tasks.{PREPARE}.outputs.parameters") for step in shared]
    tasks += [_group_task(name, steps) for name, steps in groups.items()]
    inner = [_group(plan, name, steps, names) for name, steps in groups.items()]
    return [{"name": ENTRYPOINT, "dag": {"tasks": tasks}}, *inner]


def num_groups(plan: Plan) -> int:
    """Return how many DAGs the variants of a plan take."""
    return min(len(groups_of(plan)), MAX_GROUPS)


def groups_of(plan: Plan) -> list[list[Step]]:
    """Return the steps of a matrix in groups: steps of two groups do not need each other."""
    groups: list[list[Step]] = []
    for step in plan.steps:
        if not step.variants or set(step.variants) == set(plan.variants):
            continue
        joined = [group for group in groups if any(other.id in step.needs for other in group)]
        merged = [other for group in joined for other in group]
        groups = [group for group in groups if group not in joined] + [[*merged, step]]
    return groups


def _packed(groups: list[list[Step]]) -> dict[str, list[Step]]:
    """Return the groups by the names of their DAGs; several of them in one where there are too many."""
    size = -(-len(groups) // MAX_GROUPS) or 1
    packs = [list(chain.from_iterable(groups[start : start + size])) for start in range(0, len(groups), size)]
    found: dict[str, list[Step]] = {}
    for number, steps in enumerate(packs, 1):
        variants = {variant for step in steps for variant in step.variants}
        name = f"variant-{variants.pop()}" if len(variants) == 1 else f"variants-{number}"
        found[name] = steps
    return found


def _group_task(name: str, steps: list[Step]) -> dict[str, Any]:
    """Return the task of a group: it waits for all that its steps need from outside, and passes on what is to be done."""
    inside = {step.id for step in steps}
    needs = dict.fromkeys(need for step in steps for need in step.needs if need not in inside)
    todo = [{"name": step.id, "value": f"{{{{tasks.{PREPARE}.outputs.parameters.{step.id}}}}}"} for step in steps]
    return {"name": name, "template": name, "depends": " && ".join([PREPARE, *needs]), "arguments": {"parameters": todo}}


def _group(plan: Plan, name: str, steps: list[Step], names: dict[str, str]) -> Template:
    inside = {step.id for step in steps}
    tasks = [
        _task(plan, step, names, tuple(need for need in step.needs if need in inside), "inputs.parameters", is_inner=True)
        for step in steps
    ]
    return {"name": name, "inputs": {"parameters": [{"name": step.id} for step in steps]}, "dag": {"tasks": tasks}}


def _task(
    plan: Plan, step: Step, names: dict[str, str], needs: tuple[str, ...], todo: str, *, is_inner: bool = False
) -> dict[str, Any]:
    """Return the task of a step; one that was done before is skipped, and costs no pod."""
    parameters = [{"name": "step", "value": step.id}]
    if is_distributed(step):
        parameters.append({"name": "job", "value": job_name(plan, step)})
    depends = " && ".join(needs if is_inner else (PREPARE, *needs))
    return {
        "name": step.id,
        "template": names[step.id],
        **({"depends": depends} if depends else {}),
        "when": f"{{{{{todo}.{step.id}}}}} == run",
        "arguments": {"parameters": parameters},
    }
