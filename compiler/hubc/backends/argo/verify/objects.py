"""What a rendering consists of, as the rules see it: Workflows with their templates and tasks, and the objects they make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.finding import items, name_of

if TYPE_CHECKING:
    from hubc.backends.argo.verify.finding import Path

Template = dict[str, Any]


@dataclass(frozen=True)
class Flow:
    """The spec of a Workflow, WorkflowTemplate or CronWorkflow: `path` leads to it, `name` is what its Workflows are called.

    A CronWorkflow gives each Workflow another name, so that there is none.
    """

    data: dict[str, Any]
    path: Path
    name: str | None

    @cached_property
    def templates(self) -> list[tuple[Path, Template]]:
        """The templates, with their paths in the document."""
        return [((*self.path, *path), template) for path, template in items(self.data, "templates")]

    @cached_property
    def by_name(self) -> dict[str, Template]:
        """The templates by their names; of two with one name, the last."""
        return {template["name"]: template for _, template in self.templates if template.get("name")}

    @cached_property
    def tasks(self) -> list[tuple[Path, dict[str, Any]]]:
        """The tasks of all DAGs, with their paths in the document."""
        return [
            ((*path, *place), task) for path, template in self.templates for place, task in items(template, "dag", "tasks")
        ]

    @cached_property
    def calls(self) -> dict[str, list[dict[str, str]]]:
        """Template -> the values of its parameters, in each call by a task."""
        found: dict[str, list[dict[str, str]]] = {}
        for _, task in self.tasks:
            given = {each["name"]: each["value"] for _, each in items(task, "arguments", "parameters") if each.get("value")}
            found.setdefault(task.get("template") or "", []).append(given)
        return found

    @cached_property
    def manifests(self) -> list[Manifest]:
        """The objects that resource templates make, ask for or delete, as far as they can be read."""
        return [found for path, template in self.templates if (found := manifest(path, template))]

    def reached_from(self, name: str | None) -> set[str]:
        """Return the names of the templates that a template calls, directly or not, itself included."""
        found: set[str] = set()
        ahead = [name] if name else []
        while ahead:
            if (current := ahead.pop()) in found or current not in self.by_name:
                continue
            found.add(current)
            ahead += [task["template"] for _, task in items(self.by_name[current], "dag", "tasks") if task.get("template")]
        return found


@dataclass(frozen=True)
class Manifest:
    """An object that a resource template is about; `path` leads to the text that describes it."""

    path: Path
    template: Template
    data: dict[str, Any]

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.data.get("kind"))

    @property
    def is_whole(self) -> bool:
        """Whether the object is made from this manifest, and not only named by it."""
        return self.template["resource"].get("action") not in ("get", "delete")


def manifest(path: Path, template: Template) -> Manifest | None:
    """Return the object of a resource template; None if it has none, or not as a JSON object."""
    try:
        data = json.loads((template.get("resource") or {}).get("manifest") or "null")
    except json.JSONDecodeError:
        return None
    return Manifest((*path, "resource", "manifest"), template, data) if isinstance(data, dict) else None


def flow(document: dict[str, Any]) -> Flow | None:
    """Return the spec of a document of Argo's, or None for others."""
    spec = document.get("spec")
    if not str(document.get("apiVersion")).startswith("argoproj.io/") or not isinstance(spec, dict):
        return None
    if document.get("kind") == "CronWorkflow":
        return Flow(spec.get("workflowSpec") or {}, ("spec", "workflowSpec"), None)
    return Flow(spec, ("spec",), name_of(document) if document.get("kind") == "Workflow" else None)
