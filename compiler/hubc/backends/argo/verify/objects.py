"""What a rendering consists of, as the rules see it: Workflows with their templates and tasks, and the objects they make."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.braces import fill
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

    def calls_of(self, name: str) -> list[dict[str, str]]:
        """Return the values that the inputs of a template get, for each of its calls: names are passed on through DAGs."""
        if name not in self._known:
            # A template that calls itself, which is a fault, ends here.
            self._known[name] = []
            outer = [
                (call, given) for caller, call in self._callers.get(name, ()) for given in self.calls_of(caller) or [{}]
            ]
            found = [_values(call, given) for call, given in outer]
            self._known[name] = [dict(each) for each in dict.fromkeys(tuple(sorted(each.items())) for each in found)]
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, list[dict[str, str]]]:
        return {}

    @cached_property
    def _callers(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """Template -> the templates that call it, and the tasks or steps that do."""
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for _, template in self.templates:
            for _, call in calls_in(template):
                found.setdefault(call.get("template") or "", []).append((template.get("name") or "", call))
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
            ahead += [call["template"] for _, call in calls_in(self.by_name[current]) if call.get("template")]
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


def calls_in(template: Template) -> list[tuple[Path, dict[str, Any]]]:
    """Return the tasks or steps of a template, with their paths in it."""
    groups = enumerate(template.get("steps") or [])
    steps = [(("steps", number, place), step) for number, group in groups for place, step in enumerate(group)]
    return [*items(template, "dag", "tasks"), *steps]


def _values(call: dict[str, Any], outer: dict[str, str]) -> dict[str, str]:
    """Return what a call gives, with the values of the template that it stands in."""
    known = {f"inputs.parameters.{name}": value for name, value in outer.items()}
    given = items(call, "arguments", "parameters")
    return {each["name"]: fill(each["value"], known) for _, each in given if each.get("value") is not None}


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
