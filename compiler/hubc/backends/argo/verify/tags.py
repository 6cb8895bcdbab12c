"""What stands in double braces: only the few tags that hubc itself writes, each where Argo has a value for it.

Argo substitutes them in text, without an escape: what it does not know it leaves, or evaluates as an expression.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hubc.backends.argo.verify.finding import items, walk
from hubc.backends.argo.verify.tasks import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template

BRACES = "{{"
TAG = re.compile(r"\{\{([^{}]*)\}\}")
OF_WORKFLOW = ("workflow.name", "workflow.namespace", "workflow.uid")
STATUS = "workflow.status"
_INPUT = re.compile(r"inputs\.parameters\.([-A-Za-z0-9_]+)")
_OUTPUT = re.compile(r"tasks\.([-A-Za-z0-9]+)\.outputs\.parameters\.([-A-Za-z0-9_]+)")
_RAW = ("raw", "data")


class _Scope(NamedTuple):
    """What has a value in a part of a spec; `tasks` has the ancestors of a task, and their templates."""

    inputs: frozenset[str] = frozenset()
    tasks: dict[str, tuple[dict[str, Any], Template]] = {}  # noqa: RUF012 - never changed
    has_status: bool = False


def tag_faults(document: dict[str, Any], flow: Flow | None) -> Iterator[Fault]:
    """Yield the double braces of a document that are no tag of hubc's, or have no value where they stand."""
    outside = flow.path if flow else None
    for path, text in _texts(document):
        if outside is None or path[: len(outside)] != outside:
            yield path, f"Argo puts nothing in here: {_shown(text)}"
        elif path[len(outside) : len(outside) + 1] != ("templates",):
            yield from _text_faults(path, text, _Scope())
    if flow:
        at_end = flow.reached_from(flow.data.get("onExit")) - flow.reached_from(flow.data.get("entrypoint"))
        for path, template in flow.templates:
            yield from _template_faults(flow, path, template, has_status=template.get("name") in at_end)


def _template_faults(flow: Flow, path: Path, template: Template, *, has_status: bool) -> Iterator[Fault]:
    inputs = frozenset(each["name"] for _, each in items(template, "inputs", "parameters"))
    scope = _Scope(inputs, has_status=has_status)
    tasks = {task["name"]: (task, _callee(flow, task)) for _, task in items(template, "dag", "tasks")}
    before = ancestors([task for task, _ in tasks.values()])
    for place, text in _texts(template):
        if place[-2:] == _RAW or place[-1] == "podSpecPatch":
            yield (*path, *place), f"text that Argo does not understand holds no tags: {_shown(text)}"
            continue
        # What a DAG itself gives out is known when all of its tasks have ended.
        seen = before.get(_task_at(template, place), set()) if place[:2] == ("dag", "tasks") else set(tasks)
        ended = {name: task for name, task in tasks.items() if name in seen}
        yield from _text_faults((*path, *place), text, scope._replace(tasks=ended))


def _task_at(template: Template, place: Path) -> str:
    """Return the name of the task that a place in a template lies in."""
    name: str = template["dag"]["tasks"][place[2]]["name"]
    return name


def _callee(flow: Flow, task: dict[str, Any]) -> Template:
    return flow.by_name.get(task.get("template") or "", {})


def _text_faults(path: Path, text: str, scope: _Scope) -> Iterator[Fault]:
    for tag in dict.fromkeys(TAG.findall(text)):
        if (fault := _fault(tag, scope)) is not None:
            yield path, fault
    if BRACES in TAG.sub("", text):
        yield path, f"braces that are no tag: {_shown(TAG.sub('', text))}"


def _fault(tag: str, scope: _Scope) -> str | None:
    shown = f"{{{{{tag}}}}}"
    if tag in OF_WORKFLOW:
        return None
    if tag == STATUS:
        return None if scope.has_status else f"{shown} is known only in the exit handler"
    if found := _INPUT.fullmatch(tag):
        return None if found[1] in scope.inputs else f"{shown} names an input that is not declared"
    if found := _OUTPUT.fullmatch(tag):
        return _output_fault(shown, found[1], found[2], scope)
    return f"{shown} is no tag that hubc writes"


def _output_fault(shown: str, name: str, output: str, scope: _Scope) -> str | None:
    if name not in scope.tasks:
        return f"{shown} names a task that is not here, or has not ended when this starts"
    task, template = scope.tasks[name]
    declared = {each["name"]: each for _, each in items(template, "outputs", "parameters")}
    if output not in declared:
        return f"{shown} names an output that template '{template.get('name')}' does not have"
    if task.get("when") and (declared[output].get("valueFrom") or {}).get("default") is None:
        return f"{shown} has no value, and no default, where task '{name}' is skipped"
    return None


def _texts(data: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield the texts with double braces, keys included, and where they stand."""
    for path, value in walk(data):
        if isinstance(value, str) and BRACES in value:
            yield path, value
        if path and isinstance(path[-1], str) and BRACES in path[-1]:
            yield path, path[-1]


def _shown(text: str) -> str:
    start = max(text.find(BRACES), 0)
    return repr(text[start : start + 40])
