"""The graph of a Workflow: its tasks, what they wait for, what they call, and what they give it.

Source: argo-workflows, workflow/validate/validate.go, and the rules in its resource schemas.
"""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.depends import OF_ITEMS, DependsError, parse
from hubc.backends.argo.verify.finding import items
from hubc.backends.argo.verify.limits import MAX_TASKS
from hubc.backends.argo.verify.templates import name_faults, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template

Task = dict[str, Any]
_WHEN = re.compile(r"(\{\{[^{}]+\}\}|[-A-Za-z0-9_]+) (==|!=) [-A-Za-z0-9_]+")
"""The only form of condition that hubc writes; Argo would take any expression."""
_SUPPLIED = ("value", "valueFrom", "default", "raw", "s3", "gcs", "http", "git", "azure", "oss", "hdfs", "artifactory")


def graph_faults(flow: Flow) -> Iterator[Fault]:
    """Yield what is wrong with the DAGs of a spec, and with how templates call each other."""
    for path, template in flow.templates:
        if template.get("dag") is not None:
            yield from _dag_faults(flow, (*path, "dag", "tasks"), [task for _, task in items(template, "dag", "tasks")])
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
        yield from _call_faults(flow, (*path, number), task)
    for cycle in _cycles({task["name"]: _named(task) for task in tasks if task.get("name")}):
        yield path, f"tasks wait for each other in a circle: {cycle}"


def _wait_faults(path: Path, task: Task, tasks: Mapping[str | None, Task]) -> Iterator[Fault]:
    if task.get("dependencies"):
        yield (*path, "dependencies"), "hubc says 'depends', and Argo takes only one of the two"
    if task.get("continueOn"):
        yield (*path, "continueOn"), "with 'depends', Argo refuses it"
    if (when := task.get("when")) is not None and not _WHEN.fullmatch(when):
        yield (*path, "when"), f"'{when}' is not of the form 'value == value'"
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


def _call_faults(flow: Flow, path: Path, task: Task) -> Iterator[Fault]:
    name = task.get("template")
    if task.get("templateRef") or task.get("inline") or not name:
        yield (*path, "template"), "a task calls a template of its Workflow by its name"
        return
    if name not in flow.by_name:
        yield (*path, "template"), f"no template is called '{name}'"
        return
    for group in ("parameters", "artifacts"):
        yield from _argument_faults((*path, "arguments", group), task, flow.by_name[name], group)


def _argument_faults(path: Path, task: Task, template: Template, group: str) -> Iterator[Fault]:
    given = [argument for _, argument in items(task, "arguments", group)]
    wanted = {each["name"]: each for _, each in items(template, "inputs", group)}
    names = [argument["name"] for argument in given]
    yield from repeated(path, names)
    for number, argument in enumerate(given):
        if argument["name"] not in wanted:
            yield (*path, number), f"template '{template['name']}' has no input '{argument['name']}'"
        if group == "parameters" and argument.get("value") is None:
            yield (*path, number, "value"), "it is needed, and missing"
    for name, each in wanted.items():
        if name not in names and not each.get("optional") and not any(each.get(key) is not None for key in _SUPPLIED):
            yield path, f"template '{template['name']}' needs '{name}', which is not given"


def _named(task: Task) -> set[str]:
    """Return the tasks that a task names in its condition, readable or not."""
    try:
        operands = parse(task.get("depends") or "x")
    except DependsError:
        return set()
    return {operand.task for operand in operands if task.get("depends")}


def _called(template: Template) -> set[str]:
    return {task["template"] for _, task in items(template, "dag", "tasks") if task.get("template")}


def _cycles(graph: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the first cycle of a graph in words, if it has any."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join(error.args[1])
