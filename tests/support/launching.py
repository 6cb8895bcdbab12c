"""A stand-in for the parts of Argo that run a launcher's templates: selectors, JSONPath, steps and retried executors."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATOR = re.compile(
    r"^(?P<key>[\w.\-]+)\s*(?:(?P<set>in|notin)\s*\((?P<values>[^()]*)\)|(?P<op>==|!=|=|>|<)\s*(?P<value>\S+))?$"
)


def lookup(data: Any, path: str) -> Any:
    """Follow a dotted path with numeric indices; None if there is nothing."""
    for part in path.split("."):
        if isinstance(data, list):
            data = data[int(part)] if part.isdigit() and int(part) < len(data) else None
        else:
            data = data.get(part) if isinstance(data, dict) else None
    return data


def requirements(selector: str) -> list[str]:
    """Split a selector at the commas outside parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", selector)]


def matches(requirement: str, data: Any) -> bool:
    """Evaluate one requirement of a label selector."""
    found = OPERATOR.match(requirement)
    assert found, f"'{requirement}' is no requirement of a label selector"
    value = lookup(data, found["key"])
    text = None if value is None else str(value)
    if found["set"]:
        among = text in [item.strip() for item in found["values"].split(",")]
        return among if found["set"] == "in" else not among
    match found["op"]:
        case None:
            return text is not None
        case "=" | "==":
            return text == found["value"]
        case "!=":
            return text != found["value"]
        case op:
            return text is not None and (int(text) > int(found["value"]) if op == ">" else int(text) < int(found["value"]))


def state(resource: dict[str, Any], data: Any) -> str:
    """Return what Argo's executor concludes from an object: failure goes first, and any requirement of it suffices."""
    if "failureCondition" in resource and any(matches(part, data) for part in requirements(resource["failureCondition"])):
        return "Failed"
    if "successCondition" not in resource or all(matches(part, data) for part in requirements(resource["successCondition"])):
        return "Succeeded"
    return "Running"


def json_path(data: Any, path: str) -> str:
    """Evaluate the JSONPath of kubectl, as far as launchers use it, with missing keys allowed."""
    found = [data]
    for part in re.findall(r"\.[A-Za-z]+|\.\*|\[\?\([^)]*\)\]", path.strip("{}")):
        if part == ".*":
            found = [value for item in found if isinstance(item, dict) for value in item.values()]
        elif part.startswith("."):
            found = [item[part[1:]] for item in found if isinstance(item, dict) and part[1:] in item]
        else:
            condition = re.fullmatch(r'\[\?\(@\.(\w+)=="(\w+)"\)\]', part)
            assert condition, f"'{part}' is no filter"
            key, value = condition.groups()
            found = [item for items in found for item in items if item.get(key) == value]
    return " ".join(map(str, found))


class Cluster:
    """Objects by kind; each applied anew takes the next of the outcomes, as a status."""

    def __init__(self, kind: str, outcomes: list[dict[str, Any]]) -> None:
        self.kind = kind
        self.outcomes = outcomes
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.log: list[str] = []

    def act(self, template: dict[str, Any], arguments: dict[str, str]) -> tuple[str, dict[str, str]]:
        """Run a resource template; return its phase and output parameters."""
        resource = template["resource"]
        manifest = json.loads(substitute(resource["manifest"], {f"inputs.parameters.{k}": v for k, v in arguments.items()}))
        key = (manifest["kind"], manifest["metadata"]["name"])
        self.log.append(f"{resource['action']} {manifest['kind']}")
        match resource["action"]:
            case "apply" if key not in self.objects:
                self.objects[key] = {**manifest, "status": self.outcomes.pop(0) if key[0] == self.kind else {}}
            case "delete":
                self.objects.pop(key, None)
                return "Succeeded", {}
        if key not in self.objects:
            return "Failed", {}
        phase = state(resource, self.objects[key])
        assert phase != "Running", f"would wait for ever: {self.objects[key]['status']}"
        outputs = template.get("outputs", {}).get("parameters", [])
        return phase, {item["name"]: json_path(self.objects[key], item["valueFrom"]["jsonPath"]) for item in outputs}


def substitute(text: str, values: dict[str, str]) -> str:
    """Fill tags in as Argo does: into the text, without quoting; what is not known stays."""
    return re.sub(r"\{\{([^{}]+)\}\}", lambda tag: values.get(tag[1], tag[0]), text)


def run(templates: list[dict[str, Any]], name: str, arguments: dict[str, str], act: Callable[..., Any]) -> str:
    """Run a template of those given as Argo does, and return its phase."""
    template = next(template for template in templates if template["name"] == name)
    assert set(arguments) == {item["name"] for item in template["inputs"]["parameters"]}
    scope = {f"inputs.parameters.{key}": value for key, value in arguments.items()}
    for group in template["steps"]:
        phases = [_step(templates, step, scope, act) for step in group]
        if any(
            phase == "Failed" and not step.get("continueOn", {}).get("failed")
            for phase, step in zip(phases, group, strict=True)
        ):
            return "Failed"
    return "Succeeded"


def _step(templates: list[dict[str, Any]], step: dict[str, Any], scope: dict[str, str], act: Callable[..., Any]) -> str:
    phase, outputs = "Skipped", {}
    if _true(substitute(step.get("when", "'' == ''"), scope)):
        arguments = {item["name"]: substitute(item["value"], scope) for item in step["arguments"]["parameters"]}
        called = next(template for template in templates if template["name"] == step["template"])
        if "steps" in called:
            phase = run(templates, step["template"], arguments, act)
        else:
            phase, outputs = act(called, arguments)
    scope[f"steps.{step['name']}.status"] = phase
    scope.update({f"steps.{step['name']}.outputs.parameters.{key}": value for key, value in outputs.items()})
    return phase


def _true(when: str) -> bool:
    left, operator, right = shlex.split(when)
    assert "{{" not in when, f"{when}: an output of a step that did not run"
    return (left == right) == (operator == "==")
