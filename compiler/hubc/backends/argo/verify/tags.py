"""What stands in double braces: only the few tags that hubc itself writes, each where Argo has a value for it.

Argo substitutes them in text, without an escape: what it does not know it leaves, or evaluates as an expression.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hubc.backends.argo.verify.braces import BRACES, TAG
from hubc.backends.argo.verify.finding import items, walk
from hubc.backends.argo.verify.objects import calls_in
from hubc.backends.argo.verify.tasks import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template

OF_WORKFLOW = ("workflow.name", "workflow.namespace", "workflow.uid")
STATUS = "workflow.status"
_INPUT = re.compile(r"inputs\.parameters\.([-A-Za-z0-9_]+)")
_OUTPUT = re.compile(r"(tasks|steps)\.([-A-Za-z0-9]+)\.(?:status|outputs\.parameters\.([-A-Za-z0-9_]+))")
_RAW = ("raw", "data")


class _Scope(NamedTuple):
    """What has a value in a part of a spec; `ended` has the tasks, or steps, that came before, and their templates."""

    inputs: frozenset[str] = frozenset()
    kind: str = ""
    ended: dict[str, tuple[dict[str, Any], Template]] = {}  # noqa: RUF012 - never changed
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
    calls = {call["name"]: (call, _callee(flow, call)) for _, call in calls_in(template) if call.get("name")}
    whole = _Scope(inputs, "steps" if template.get("steps") else "tasks", calls, has_status)
    before = _before(template)
    for place, text in _texts(template):
        if place[-2:] == _RAW or place[-1] == "podSpecPatch":
            yield (*path, *place), f"text that Argo does not understand holds no tags: {_shown(text)}"
            continue
        # What a template itself gives out is known when all that it calls has ended.
        seen = before.get(place[:3], set(calls))
        ended = {name: call for name, call in calls.items() if name in seen}
        yield from _text_faults((*path, *place), text, whole._replace(ended=ended))


def _before(template: Template) -> dict[Path, set[str]]:
    """Return path of a task or of a step -> the names of those that have ended when it starts."""
    waited = ancestors([task for _, task in items(template, "dag", "tasks")])
    found = {path: waited.get(task.get("name") or "", set()) for path, task in items(template, "dag", "tasks")}
    seen: set[str] = set()
    for number, group in enumerate(template.get("steps") or []):
        found |= {("steps", number, place): set(seen) for place in range(len(group))}
        seen |= {step.get("name") or "" for step in group}
    return found


def _callee(flow: Flow, call: dict[str, Any]) -> Template:
    return flow.by_name.get(call.get("template") or "", {})


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
        is_here = found[1] == scope.kind and found[2] in scope.ended
        late = f"{shown} names what is not here, or has not ended when this starts"
        return _output_fault(shown, found[2], found[3], scope) if is_here else late
    return f"{shown} is no tag that hubc writes"


def _output_fault(shown: str, name: str, output: str | None, scope: _Scope) -> str | None:
    call, template = scope.ended[name]
    declared = {each["name"]: each for _, each in items(template, "outputs", "parameters")}
    if output is None:
        return None
    if output not in declared:
        return f"{shown} names an output that template '{template.get('name')}' does not have"
    if call.get("when") and (declared[output].get("valueFrom") or {}).get("default") is None:
        return f"{shown} has no value, and no default, where '{name}' is skipped"
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
