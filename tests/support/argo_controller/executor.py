"""Argo's executor: what it does to objects, and the outputs that it reads."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kube import ApiError
from kube.patches import merged
from kube.selectors import by_labels

from argo_controller.conditions import ConditionError, parse

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from kube import KubeApi, Resource

    from argo_controller.places import Places
    from argo_controller.processes import Process

Object = dict[str, Any]
FAILED = 64
"""Exit code of `argoexec`, whatever went wrong."""


_JSON_PATH = re.compile(r'\.([\w-]+)|\[(\d+)\]|\[\?\(@\.(\w+)\s*==\s*"([^"]*)"\)\]|(\.\*)')


class ResourceError(Exception):
    """What the executor ends with."""


class Executor:
    """A resource template at work; it has the face of a process."""

    def __init__(self, api: KubeApi, pod: Object, template: Object, log: Callable[[str], None]) -> None:
        self.exit_code: int | None = None
        self.message = ""
        self.found: Object = {}
        """The object as it was last seen."""
        self._api, self._pod, self._resource, self._log = api, pod, template["resource"], log
        self._killed = 0
        threading.Thread(target=self._run, daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """End the executor; the object stays."""
        with self._api.store.changed:
            self._killed = self._killed or 128 + number
            self._api.store.changed.notify_all()

    def _run(self) -> None:
        code = 0
        try:
            self._act()
        except (ResourceError, ApiError, ConditionError) as error:
            self.message, code = str(error), FAILED
            self._log(f"Error: {error}")
        with self._api.store.changed:
            self.exit_code = self._killed or code
            self._api.store.changed.notify_all()

    def _act(self) -> None:
        if self._resource["action"] == "delete":
            self._delete()
            return
        manifest: Object = yaml.safe_load(self._resource["manifest"])
        resource = self._kind(manifest)
        place = (resource, manifest["metadata"].get("namespace", self._pod["metadata"]["namespace"]))
        if self._resource.get("setOwnerReference"):
            owner = self._pod["metadata"]["ownerReferences"][0]
            manifest["metadata"].setdefault("ownerReferences", []).append({**owner, "blockOwnerDeletion": False})
        with self._api.store.changed:
            self._check_alive()
            self.found = self._write(*place, manifest)
        self._log(f"{resource.qualified}/{self.found['metadata']['name']} {self._resource['action']}")
        self._wait_for_condition(*place, self.found["metadata"]["name"])

    def _check_alive(self) -> None:
        """Make nothing for a Workflow that is being deleted: it would stay behind."""
        metadata = self._pod["metadata"]
        pod = self._api.store.objects.get(("pods", metadata["namespace"], metadata["name"]))
        if self._killed or pod is None or "deletionTimestamp" in pod["metadata"]:
            raise ResourceError("the executor is ending")

    def _kind(self, manifest: Object) -> Resource:
        for resource in self._api.installed.values():
            if (resource.api_version, resource.kind) == (manifest["apiVersion"], manifest["kind"]):
                return resource
        raise ResourceError(f'no matches for kind "{manifest["kind"]}" in version "{manifest["apiVersion"]}"')

    def _write(self, resource: Resource, namespace: str, manifest: Object) -> Object:
        store, name = self._api.store, manifest["metadata"].get("name", "")
        match self._resource["action"]:
            case "get":
                return store.get(resource, namespace, name)
            case "create":
                return store.create(resource, namespace, manifest)
            case "patch":
                return store.update(resource, namespace, name, lambda old: merged(old, manifest))
            case "apply" if store.find(resource, namespace, name) is None:
                return store.create(resource, namespace, manifest)
            case "apply":
                return store.update(resource, namespace, name, lambda old: merged(old, manifest))
        raise ResourceError(f"unknown action {self._resource['action']}")

    def _delete(self) -> None:
        """Delete as kubectl does, which waits until the objects are gone."""
        flags = self._resource.get("flags", [])
        policy = "Foreground" if "--cascade=foreground" in flags else "Background"
        targets = self._targets(flags)
        for plural, namespace, name in targets:
            try:
                self._api.delete(plural, name, namespace, propagationPolicy=policy)
            except ApiError as error:
                if error.code != 404 or "--ignore-not-found" not in flags:
                    raise
        with self._api.store.changed:
            self._api.store.changed.wait_for(lambda: self._killed or not self._api.store.objects.keys() & set(targets))

    def _targets(self, flags: list[str]) -> list[tuple[str, str, str]]:
        """Return what to delete: what the manifest names, or what a selector finds."""
        namespace = self._pod["metadata"]["namespace"]
        if "manifest" in self._resource:
            manifest = yaml.safe_load(self._resource["manifest"])
            place = manifest["metadata"].get("namespace", namespace)
            return [(self._kind(manifest).plural, place, manifest["metadata"]["name"])]
        kind = next(flag for flag in flags if not flag.startswith("-"))
        plural = next((item.plural for item in self._api.installed.values() if kind in (item.qualified, item.plural)), None)
        if plural is None:
            raise ResourceError(f'the server doesn\'t have a resource type "{kind}"')
        selectors = [flag.removeprefix("--selector=") for flag in flags if flag.startswith("--selector=")]
        fits = by_labels(",".join(selectors))
        return [(plural, namespace, item["metadata"]["name"]) for item in self._api.list(plural, namespace) if fits(item)]

    def _wait_for_condition(self, resource: Resource, namespace: str, name: str) -> None:
        good = parse(self._resource.get("successCondition", ""))
        bad = parse(self._resource.get("failureCondition", ""))
        if not good and not bad:
            return
        with self._api.store.changed:
            while not self._killed:
                self.found = self._api.store.get(resource, namespace, name)
                if failed := next((part for part in bad if part.holds(self.found)), None):
                    raise ResourceError(f"failure condition '{failed.text}' evaluated true")
                if all(part.holds(self.found) for part in good):
                    return
                self._api.store.changed.wait()


def output_parameters(template: Object, places: Places, main: Process | Executor | None) -> list[Object]:
    """Return the output parameters of a template.

    Raises LookupError if one has neither a value nor a default.
    """
    found = []
    for item in (template.get("outputs") or {}).get("parameters", []):
        source = item["valueFrom"]
        value = _from_object(main.found, source) if isinstance(main, Executor) else _from_file(places, source)
        value = source.get("default") if value is None else value
        if value is None:
            raise LookupError(f"output parameter '{item['name']}': nothing at {source.get('path') or source}")
        found.append({"name": item["name"], "value": str(value)})
    return found


def _from_file(places: Places, source: Object) -> str | None:
    path = Path(places.file(source["path"]))
    return path.read_text(encoding="utf-8").removesuffix("\n") if path.is_file() else None


def _from_object(found: Object, source: Object) -> str:
    """Return what kubectl prints for a JSONPath: nothing for what is missing."""
    values: list[Any] = [found]
    for key, number, other, wanted, every in _JSON_PATH.findall(source["jsonPath"]):
        if key:
            values = [value[key] for value in values if isinstance(value, dict) and key in value]
        elif number:
            values = [value[int(number)] for value in values if isinstance(value, list) and int(number) < len(value)]
        else:
            values = [item for value in values for item in (value.values() if isinstance(value, dict) else value)]
            values = values if every else [item for item in values if item.get(other) == wanted]
    return " ".join(value if isinstance(value, str) else json.dumps(value) for value in values)
