"""Small Workflows, and how they went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube import KubeApi

Object = dict[str, Any]
ENDED = ("Succeeded", "Failed", "Error")


def python(name: str, code: str, **more: Any) -> Object:
    container = {"image": "python", "command": ["python", "-c", code], **more.pop("container", {})}
    return {"name": name, "container": container, **more}


def dag(*tasks: Object, name: str = "main", **more: Any) -> Object:
    return {"name": name, "dag": {"tasks": list(tasks), **more}}


def task(name: str, template: str = "", depends: str = "", **more: Any) -> Object:
    return {"name": name, "template": template or name, **({"depends": depends} if depends else {}), **more}


def submit(api: KubeApi, *templates: Object, name: str = "w", **spec: Any) -> str:
    spec = {"entrypoint": "main", "templates": list(templates), **spec}
    api.create("workflows", {"metadata": {"name": name}, "spec": spec}, "team")
    return name


def ended(api: KubeApi, name: str = "w") -> Object:
    """Wait for a Workflow, and return its status with the nodes by the names that are shown."""

    def status() -> Object:
        found: Object = api.get("workflows", name, "team").get("status", {})
        return found

    api.wait_until(lambda: status().get("phase") in ENDED)
    found = status()
    return {**found, "shown": {node["displayName"]: node for node in found["nodes"].values()}}


def phases(status: Object) -> dict[str, str]:
    return {name: node["phase"] for name, node in status["shown"].items()}


def node(api: KubeApi, name: str, shown: str) -> Object:
    """Return a node as it is now."""
    nodes = api.get("workflows", name, "team").get("status", {}).get("nodes", {}).values()
    return next((item for item in nodes if item["displayName"] == shown), {})


def wait_for_pod(api: KubeApi, test: Callable[[Object], bool]) -> Object:
    api.wait_until(lambda: any(test(pod) for pod in api.list("pods", "team")))
    return next(pod for pod in api.list("pods", "team") if test(pod))


def is_running(pod: Object) -> bool:
    return bool(pod["status"]["phase"] == "Running")


def log(api: KubeApi, pod: str, container: str = "main") -> list[str]:
    uid = api.get("pods", pod, "team")["metadata"]["uid"]
    return [line.text for line in api.logs.lines.get((uid, container), [])]
