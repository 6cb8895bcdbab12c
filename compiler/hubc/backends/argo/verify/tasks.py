"""The graph of a Workflow: its tasks, what they wait for, and that nothing goes in circles.

Source: argo-workflows, workflow/validate/validate.go, and the rules in its resource schemas.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.calls import call_faults
from hubc.backends.argo.verify.depends import OF_ITEMS, DependsError, parse
from hubc.backends.argo.verify.finding import items
from hubc.backends.argo.verify.limits import MAX_TASKS
from hubc.backends.argo.verify.objects import calls_in
from hubc.backends.argo.verify.steps import steps_faults
from hubc.backends.argo.verify.templates import name_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template

Task = dict[str, Any]


def graph_faults(flow: Flow) -> Iterator[Fault]:
    """Yield what is wrong with the DAGs and steps of a spec, and with how templates call each other."""
    for path, template in flow.templates:
        if template.get("dag") is not None:
            yield from _dag_faults(flow, (*path, "dag", "tasks"), [task for _, task in items(template, "dag", "tasks")])
        if template.get("steps") is not None:
            yield from steps_faults(flow, (*path, "steps"), template)
    called = {name: _called(template) for name, template in flow.by_name.items()}
    for cycle in _cycles(called):
        yield (*flow.path, "templates"), f"templates call each other in a circle: {cycle}"


def ancestors(tasks: list[Task]) -> dict[str, set[str]]:
    """Return task -> the tasks that have ended when it starts."""
    direct = {task["name"]: _named(task) for task in tasks if task.get("name")}
    found: dict[str, set[str]] = {}
    for name in direct:
        seen: set[str] = set()
        ahead = list(direct[name])
        while ahead:
            if (current := ahead.pop()) not in seen:
                seen.add(current)
                ahead += direct.get(current, ())
        found[name] = seen
    return found


def _dag_faults(flow: Flow, path: Path, tasks: list[Task]) -> Iterator[Fault]:
    if not tasks:
        yield path, "a DAG has at least one task"
    if len(tasks) > MAX_TASKS:
        yield path, f"there are {len(tasks)} tasks, the limit is {MAX_TASKS}"
    yield from name_faults(path, [task.get("name") for task in tasks])
    for number, task in enumerate(tasks):
        yield from _wait_faults((*path, number), task, {each.get("name"): each for each in tasks})
        yield from call_faults(flow, (*path, number), task)
    for cycle in _cycles({task["name"]: _named(task) for task in tasks if task.get("name")}):
        yield path, f"tasks wait for each other in a circle: {cycle}"


def _wait_faults(path: Path, task: Task, tasks: Mapping[str | None, Task]) -> Iterator[Fault]:
    if task.get("dependencies"):
        yield (*path, "dependencies"), "hubc says 'depends', and Argo takes only one of the two"
    if task.get("continueOn"):
        yield (*path, "continueOn"), "with 'depends', Argo refuses it"
    if not (depends := task.get("depends")):
        return
    if task["name"][:1].isdigit():
        yield (*path, "name"), "with 'depends', a name cannot start with a digit"
    try:
        operands = parse(depends)
    except DependsError as error:
        yield (*path, "depends"), str(error)
        return
    for operand in operands:
        if operand.task not in tasks:
            yield (*path, "depends"), f"no task is called '{operand.task}'"
        elif operand.result in OF_ITEMS and not _has_items(tasks[operand.task]):
            yield (*path, "depends"), f"'{operand.result}' is for tasks with items, and '{operand.task}' has none"


def _has_items(task: Task) -> bool:
    return any(task.get(key) for key in ("withItems", "withParam", "withSequence"))


def _named(task: Task) -> set[str]:
    """Return the tasks that a task names in its condition, readable or not."""
    try:
        operands = parse(task.get("depends") or "x")
    except DependsError:
        return set()
    return {operand.task for operand in operands if task.get("depends")}


def _called(template: Template) -> set[str]:
    return {call["template"] for _, call in calls_in(template) if call.get("template")}


def _cycles(graph: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the first cycle of a graph in words, if it has any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join(error.args[1])
