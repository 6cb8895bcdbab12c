"""Running a template once its turn has come: inputs, limits, attempts."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from argo_controller import graphs, leaves
from argo_controller.expressions import condition
from argo_controller.nodes import is_fulfilled
from argo_controller.tags import UnresolvedError, fill

if TYPE_CHECKING:
    from argo_controller.workflows import Operation

Object = dict[str, Any]
_LATER = ("tasks.", "steps.", "retries", "pod.name")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def execute(
    run: Operation, name: str, template_name: str, arguments: Object, boundary: Object | None = None
) -> Object | None:
    """Take a node a step further; return it, or None if it may not start yet.

    Raises UnresolvedError if a tag or an input has no value.
    """
    node = run.nodes.get(name)
    if is_fulfilled(node):
        return node
    template = run.templates[template_name]
    inputs = _inputs(template, arguments)
    values = run.values | {f"inputs.parameters.{key}": value for key, value in inputs.items()}
    template = fill(template | {"inputs": {}}, values, _LATER) | {
        "inputs": _filled_inputs(template, arguments, inputs, values)
    }
    if not _may_start(run, template, node, boundary):
        return node
    if "retryStrategy" in template:
        return _retry(run, name, template, boundary)
    return _play(run, name, template, boundary)


def _inputs(template: Object, arguments: Object) -> dict[str, str]:
    given = {item["name"]: item["value"] for item in arguments.get("parameters") or [] if "value" in item}
    found = {}
    for item in (template.get("inputs") or {}).get("parameters", []):
        value = given.get(item["name"], item.get("value", item.get("default")))
        if value is None:
            raise UnresolvedError(f"inputs.parameters.{item['name']} was not supplied")
        found[item["name"]] = str(value)
    return found


def _filled_inputs(template: Object, arguments: Object, inputs: dict[str, str], values: dict[str, str]) -> Object:
    given = {item["name"]: item for item in arguments.get("artifacts") or []}
    declared = (template.get("inputs") or {}).get("artifacts", [])
    artifacts = [fill(item | given.get(item["name"], {}), values, _LATER) for item in declared]
    for item in artifacts:
        if "raw" not in item:
            raise UnresolvedError(f"inputs.artifacts.{item['name']} was not supplied")
    return {"parameters": [{"name": key, "value": value} for key, value in inputs.items()], "artifacts": artifacts}


def _may_start(run: Operation, template: Object, node: Object | None, boundary: Object | None) -> bool:
    """Tell whether the limits of the Workflow and of the surrounding template leave room."""
    if "dag" in template or "steps" in template or (node and node["type"] == "Pod"):
        return True
    if 0 < run.spec.get("parallelism", 0) <= run.nodes.active():
        return False
    limit = run.templates[boundary["templateName"]].get("parallelism", 0) if boundary else 0
    return not (boundary and 0 < limit <= run.nodes.active(boundary["id"]))


def _play(run: Operation, name: str, template: Object, boundary: Object | None) -> Object:
    if "dag" in template:
        return graphs.play_dag(run, name, template, boundary)
    if "steps" in template:
        return graphs.play_steps(run, name, template, boundary)
    return leaves.play(run, name, fill(template, {"pod.name": leaves.pod_of(run, name, template)}, _LATER), boundary)


def _retry(run: Operation, name: str, template: Object, boundary: Object | None) -> Object:
    node = run.nodes.get(name) or run.nodes.add(name, "Retry", "Running", template["name"], boundary)
    node["inputs"] = {"parameters": template["inputs"]["parameters"]}
    attempts = run.nodes.attempts(node)
    if attempts and not is_fulfilled(attempts[-1]):
        _play(run, attempts[-1]["name"], template, boundary)
    if attempts and not is_fulfilled(attempts[-1]):
        return node
    if attempts and (ends := _why_last(run, template["retryStrategy"], attempts)) is not None:
        node["outputs"] = attempts[-1].get("outputs", {})
        return run.nodes.mark(node, attempts[-1]["phase"], ends)
    if attempts and (seconds := _backoff_seconds(run, template["retryStrategy"], attempts)) > 0:
        run.again_seconds.append(seconds)
        return node
    attempt = f"{name}({len(attempts)})"
    _play(run, attempt, fill(template, {"retries": str(len(attempts))}, _LATER), boundary)
    run.nodes.link(node, attempt)
    return node


def _why_last(run: Operation, strategy: Object, attempts: list[Object]) -> str | None:
    """Return the message if there is no further attempt, else None."""
    last = attempts[-1]
    if last["phase"] == "Succeeded":
        return ""
    if why := run.why_stopped(last["name"]):
        return why
    expression = strategy.get("expression")
    policy = strategy.get("retryPolicy", "Always" if expression else "OnFailure")
    if {"OnFailure": "Error", "OnError": "Failed"}.get(policy) == last["phase"]:
        return str(last.get("message", ""))
    exit_code = last.get("outputs", {}).get("exitCode", "-1")
    known = {
        "lastRetry.status": last["phase"],
        "lastRetry.exitCode": exit_code,
        "lastRetry.message": last.get("message", ""),
    }
    if expression and not condition(expression, known):
        return "retryStrategy.expression evaluated to false"
    limit = strategy.get("limit")
    return "No more retries left" if limit is not None and len(attempts) > int(limit) else None


def _backoff_seconds(run: Operation, strategy: Object, attempts: list[Object]) -> float:
    backoff = strategy.get("backoff") or {}
    if "duration" not in backoff:
        return 0.0
    seconds: float = _seconds(backoff["duration"]) * int(backoff.get("factor") or 1) ** float(len(attempts) - 1)
    seconds = min(seconds, _seconds(backoff["cap"])) if "cap" in backoff else seconds
    ended = datetime.fromisoformat(attempts[-1]["finishedAt"]).timestamp()
    return ended + seconds * run.cluster.settings.backoff_factor - time.time()


def _seconds(duration: object) -> float:
    parts = re.findall(r"(\d+)([smhd]?)", str(duration))
    return float(sum(int(number) * _UNITS[unit] for number, unit in parts))
