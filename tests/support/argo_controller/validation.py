"""What Argo looks at before it runs a Workflow, and what this controller does not play."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from argo_controller.expressions import tasks

if TYPE_CHECKING:
    from kube import KubeApi

Object = dict[str, Any]
KINDS = ("container", "dag", "steps", "resource")
NOT_PLAYED = ("memoize", "synchronization", "daemon", "withItems", "withParam", "withSequence", "templateRef", "inline",
              "hooks", "metrics")  # fmt: skip


class InvalidError(Exception):
    """A Workflow that Argo refuses to run."""


def spec_of(api: KubeApi, workflow: Object) -> Object:
    """Return the spec that is to run: that of the WorkflowTemplate, under what the Workflow says itself.

    Raises LookupError if there is no such template.
    """
    spec: Object = workflow["spec"]
    if (reference := spec.get("workflowTemplateRef")) is None:
        return spec
    is_global = reference.get("clusterScope", False)
    plural, place = (
        ("clusterworkflowtemplates", None) if is_global else ("workflowtemplates", workflow["metadata"]["namespace"])
    )
    found = api.find(plural, reference["name"], place)
    if found is None:
        raise LookupError(f'{plural}.argoproj.io "{reference["name"]}" not found')
    own = {key: value for key, value in spec.items() if key not in ("workflowTemplateRef", "arguments")}
    parameters = {item["name"]: item for part in (found["spec"], spec) for item in parameters_of(part)}
    return {**found["spec"], **own, "arguments": {"parameters": list(parameters.values())}}


def parameters_of(spec: Object) -> list[Object]:
    """Return the parameters of a spec's arguments."""
    return list((spec.get("arguments") or {}).get("parameters") or [])


def check(spec: Object) -> None:
    """Raise InvalidError for what Argo refuses, or for what the tests cannot run."""
    templates = {template["name"]: template for template in spec.get("templates", [])}
    if not spec.get("entrypoint"):
        raise InvalidError("spec.entrypoint is required")
    for name in filter(None, (spec["entrypoint"], spec.get("onExit"))):
        if name not in templates:
            raise InvalidError(f"template name '{name}' undefined")
    if len(templates) < len(spec["templates"]):
        raise InvalidError("spec.templates: template names are not unique")
    for template in templates.values():
        _check_template(template, templates)


def _check_template(template: Object, templates: Object) -> None:
    where = f"templates.{template['name']}"
    if sum(kind in template for kind in KINDS) != 1:
        raise InvalidError(f"{where} template type must be one of {', '.join(KINDS)}")
    rows = template.get("dag", {}).get("tasks", []) + [step for group in template.get("steps", []) for step in group]
    for item in [template, *rows]:
        if unknown := [key for key in NOT_PLAYED if key in item]:
            raise InvalidError(f"{where}: this controller does not play {', '.join(unknown)}")
    for task in template.get("dag", {}).get("tasks", []):
        if "continueOn" in task:
            raise InvalidError(f"{where}: this controller plays continueOn in steps only")
    for row in rows:
        if row["template"] not in templates:
            raise InvalidError(f"{where}.tasks.{row['name']} template name '{row['template']}' undefined")
    if "dag" in template:
        _check_graph(where, needs(template))


def needs(template: Object) -> dict[str, list[str]]:
    """Return which tasks of a DAG each one waits for."""
    return {task["name"]: tasks(depends_of(task)) for task in template["dag"]["tasks"]}


def depends_of(task: Object) -> str:
    """Return a task's `depends`, also if it is said as `dependencies`."""
    return str(task.get("depends") or " && ".join(task.get("dependencies", [])))


def _check_graph(where: str, graph: dict[str, list[str]]) -> None:
    for name, others in graph.items():
        for other in others:
            if other not in graph:
                raise InvalidError(f"{where}.tasks.{name} dependency '{other}' not defined")
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise InvalidError(f"{where} dependency cycle detected: {'->'.join(error.args[1])}") from None
