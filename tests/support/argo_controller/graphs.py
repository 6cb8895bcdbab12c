"""DAG and steps templates."""

from __future__ import annotations

from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

from argo_controller import templates
from argo_controller.expressions import ExpressionError, depends, when
from argo_controller.nodes import BAD, COMPLETED, is_fulfilled
from argo_controller.tags import UnresolvedError, fill
from argo_controller.validation import depends_of, needs

if TYPE_CHECKING:
    from argo_controller.workflows import Operation

Object = dict[str, Any]


def play_dag(run: Operation, name: str, template: Object, boundary: Object | None) -> Object:
    """Start the tasks whose turn it is, and end the node when all have ended."""
    node = run.nodes.get(name) or run.nodes.add(name, "DAG", "Running", template["name"], boundary)
    node["inputs"] = {"parameters": template["inputs"]["parameters"]}
    graph = needs(template)
    tasks = {task["name"]: task for task in template["dag"]["tasks"]}
    for task in TopologicalSorter(graph).static_order():
        _play_task(run, node, tasks[task], graph, tasks)
    targets = [task for task in graph if not any(task in others for others in graph.values())]
    phase = _assess(run, node, [f"{name}.{task}" for task in targets], template["dag"].get("failFast", True))
    if phase == "Running":
        return node
    last = [found for task in targets if (found := run.nodes.get(f"{name}.{task}"))]
    node["outboundNodes"] = [item["id"] for found in last for item in run.nodes.outbound(found)]
    return _end(run, node, template, phase, _known(run, node, "tasks", tasks.values()))


def _play_task(run: Operation, dag: Object, task: Object, graph: dict[str, list[str]], tasks: dict[str, Object]) -> None:
    name = f"{dag['name']}.{task['name']}"
    before = {need: run.nodes.get(f"{dag['name']}.{need}") for need in graph[task["name"]]}
    if is_fulfilled(run.nodes.get(name)) or not all(map(is_fulfilled, before.values())):
        return
    ended = {need: node for need, node in before.items() if node}
    if ended and not depends(depends_of(task), lambda word: _has_ended_so(ended, word)):
        run.nodes.add(name, "Skipped", "Omitted", task["template"], dag, "omitted: depends condition not met")
    else:
        known = _known(run, dag, "tasks", [tasks[need] for need in _ancestors(graph, task["name"])])
        _start(run, name, task, dag, known)
    if run.nodes.get(name):
        for parent in [item for node in ended.values() for item in run.nodes.outbound(node)] or [dag]:
            run.nodes.link(parent, name)


def _has_ended_so(ended: dict[str, Object], word: str) -> bool:
    task, _, wanted = word.partition(".")
    if wanted not in ("", "Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned"):
        raise ExpressionError(f"task result '{wanted}' is invalid")
    phase = ended[task]["phase"]
    return phase == {"Errored": "Error"}.get(wanted, wanted) if wanted else phase in ("Succeeded", "Skipped")


def _ancestors(graph: dict[str, list[str]], task: str) -> list[str]:
    found = list(graph[task])
    for other in found:
        found += [name for name in graph[other] if name not in found]
    return found


def _start(run: Operation, name: str, row: Object, boundary: Object, known: dict[str, str]) -> None:
    """Run a task or step, unless its `when` says no."""
    try:
        row = fill(row, run.values | known)
        if not run.nodes.get(name) and "when" in row and not when(row["when"]):
            run.nodes.add(name, "Skipped", "Skipped", row["template"], boundary, f"when '{row['when']}' evaluated false")
            return
        templates.execute(run, name, row["template"], row.get("arguments") or {}, boundary)
    except (UnresolvedError, ExpressionError) as error:
        node = run.nodes.get(name) or run.nodes.add(name, "Skipped", "Error", row["template"], boundary)
        run.nodes.mark(node, "Error", f"task '{name}' errored: {error}")


def _known(run: Operation, boundary: Object, kind: str, rows: Any) -> dict[str, str]:
    """Return what may be said of the tasks or steps that have ended."""
    found: dict[str, str] = {}
    for row in rows:
        node = next((item for item in run.nodes.by_id.values() if item["displayName"] == row["name"]
                     and item.get("boundaryID") == boundary["id"]), None)  # fmt: skip
        if node is None or not is_fulfilled(node):
            continue
        start = f"{kind}.{row['name']}"
        found |= {f"{start}.{key}": str(node[part]) for key, part in _FACTS.items() if part in node}
        declared = (run.templates[row["template"]].get("outputs") or {}).get("parameters", [])
        if node["type"] == "Skipped":
            found |= {f"{start}.outputs.parameters.{item['name']}": str(item["valueFrom"]["default"])
                      for item in declared if "default" in item.get("valueFrom", {})}  # fmt: skip
        outputs = node.get("outputs", {})
        found |= {f"{start}.outputs.parameters.{item['name']}": item["value"] for item in outputs.get("parameters", [])}
        found |= {f"{start}.exitCode": outputs["exitCode"]} if "exitCode" in outputs else {}
    return found


_FACTS = {"status": "phase", "id": "id", "startedAt": "startedAt", "finishedAt": "finishedAt"}


def _assess(run: Operation, dag: Object, targets: list[str], fail_fast: bool) -> str:
    """Return the phase of a DAG: an omitted task counts as the one before it ended, and a failed branch wins."""
    found = dict.fromkeys(map(run.nodes.id, targets), "")
    queue = [(id, "Succeeded") for id in dag.get("children", [])]
    for id, phase in queue:
        node = run.nodes.by_id[id]
        if not is_fulfilled(node):
            return "Running"
        phase = node["phase"] if node["phase"] in COMPLETED else phase
        if id in found and found[id] not in BAD:
            found[id] = phase
        after = [child for item in run.nodes.outbound(node) for child in item.get("children", [])]
        queue += [item for child in after if (item := (child, phase)) not in queue]
    result = "Succeeded"
    for phase in found.values():
        if not phase:
            result = "Running"
            if not fail_fast:
                break
        elif phase in BAD:
            result = phase
            if fail_fast:
                break
    return result


def _end(run: Operation, node: Object, template: Object, phase: str, known: dict[str, str]) -> Object:
    """End a DAG or steps node; if it is good, with the outputs that it takes from inside."""
    parameters = []
    for item in (template.get("outputs") or {}).get("parameters", []) if phase == "Succeeded" else []:
        source = item["valueFrom"]
        try:
            value = fill(source["parameter"], run.values | known)
        except UnresolvedError as error:
            if "default" not in source:
                return run.nodes.mark(node, "Error", str(error))
            value = str(source["default"])
        parameters.append({"name": item["name"], "value": value})
    node["outputs"] = {"parameters": parameters}
    return run.nodes.mark(node, phase)


def play_steps(run: Operation, name: str, template: Object, boundary: Object | None) -> Object:
    """Run groups of steps, one group after the other."""
    node = run.nodes.get(name) or run.nodes.add(name, "Steps", "Running", template["name"], boundary)
    node["inputs"] = {"parameters": template["inputs"]["parameters"]}
    before = [node]
    rows: list[Object] = []
    for number, group in enumerate(template["steps"]):
        title = f"{name}[{number}]"
        found = run.nodes.get(title) or run.nodes.add(title, "StepGroup", "Running", "", node)
        for parent in before:
            run.nodes.link(parent, title)
        for step in group:
            _start(run, f"{title}.{step['name']}", step, node, _known(run, node, "steps", rows))
        steps = [run.nodes.get(f"{title}.{step['name']}") for step in group]
        started = [step for step in steps if step]
        for step in started:
            run.nodes.link(found, step["name"])
        if not all(map(is_fulfilled, steps)):
            return node
        goes_on = {f"{title}.{step['name']}": step.get("continueOn") or {} for step in group}
        bad = next((step for step in started if _breaks_off(step, goes_on[step["name"]])), None)
        why = f"child '{bad['id']}' failed" if bad else ""
        run.nodes.mark(found, bad["phase"] if bad else "Succeeded", why)
        if bad:
            return run.nodes.mark(node, "Failed", why)
        before = [item for step in started for item in run.nodes.outbound(step)]
        rows += group
    node["outboundNodes"] = [item["id"] for item in before]
    return _end(run, node, template, "Succeeded", _known(run, node, "steps", rows))


def _breaks_off(step: Object, continue_on: Object) -> bool:
    key = {"Failed": "failed", "Error": "error"}.get(step["phase"])
    return key is not None and not continue_on.get(key)
