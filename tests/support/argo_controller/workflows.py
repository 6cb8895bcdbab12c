"""One look at a Workflow: do what can be done now, and write down how it stands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kube.status import conflict

from argo_controller import leaves
from argo_controller.nodes import BAD, FULFILLED, Nodes, is_fulfilled, now
from argo_controller.tags import UnresolvedError
from argo_controller.templates import execute
from argo_controller.validation import InvalidError, check, parameters_of, spec_of

if TYPE_CHECKING:
    from argo_controller.cluster import Cluster

Object = dict[str, Any]
ENDED = ("Succeeded", "Failed", "Error")
PHASE = "workflows.argoproj.io/phase"
COMPLETED = "workflows.argoproj.io/completed"


class Operation:
    """The state of one look; templates.py, graphs.py and leaves.py work on it."""

    def __init__(self, cluster: Cluster, workflow: Object) -> None:
        self.cluster, self.workflow = cluster, workflow
        self.metadata = workflow["metadata"]
        self.name, self.namespace, self.uid = (self.metadata[key] for key in ("name", "namespace", "uid"))
        self.status: Object = workflow.setdefault("status", {})
        self.nodes = Nodes(self.name, self.status.setdefault("nodes", {}))
        self.again_seconds: list[float] = []
        """When to look again even if nothing changes."""
        self.spec: Object = workflow["spec"]
        self.shutdown = str(workflow["spec"].get("shutdown") or "")

    def run(self) -> None:
        """Go as far as it goes; raises ApiError if somebody has changed the Workflow meanwhile."""
        if self.status.get("phase") in ENDED:
            return
        before = json.dumps(self.workflow)
        try:
            self._operate()
        except LookupError as error:
            self.end("Error", str(error))
        except InvalidError as error:
            self.end("Failed", f"invalid spec: {error}")
        except UnresolvedError as error:
            self.end("Error", f"error in entry template execution: {error}")
        if json.dumps(self.workflow) != before:
            self._write()
        if self.status["phase"] in ENDED:
            self.cluster.unlock(self.uid)
        leaves.collect(self)

    def _operate(self) -> None:
        self.spec = spec_of(self.cluster.api, self.workflow)
        if self.cluster.settings.must_use_reference and "workflowTemplateRef" not in self.workflow["spec"]:
            raise LookupError(
                "workflows must use workflowTemplateRef to be executed when the controller is in reference mode"
            )
        if self.spec is not self.workflow["spec"]:
            self.status["storedWorkflowTemplateSpec"] = self.spec
        if "phase" not in self.status:
            check(self.spec)
        if not self._has_locks():
            return
        self._begin()
        leaves.observe(self)
        node = execute(self, self.name, self.spec["entrypoint"], self.spec.get("arguments") or {})
        if node is not None and is_fulfilled(node):
            self._finish(node)

    def _has_locks(self) -> bool:
        mutexes = (self.spec.get("synchronization") or {}).get("mutexes", [])
        names = [f"{item.get('namespace', self.namespace)}/Mutex/{item['name']}" for item in mutexes]
        if self.shutdown and "startedAt" not in self.status:
            self.end("Failed", f"Stopped with strategy '{self.shutdown}'")
            return False
        if taken := self.cluster.lock(names, self.uid):
            self.status |= {"phase": "Pending", "message": f"Waiting for {taken} lock. Lock status: 0/1"}
            return False
        if names:
            self.status["synchronization"] = {"mutex": {"holding": [{"mutex": name, "holder": self.name} for name in names]}}
        return True

    def _begin(self) -> None:
        if self.status.get("phase") != "Running":
            self.status.pop("message", None)
            self.status |= {"phase": "Running", "startedAt": self.status.get("startedAt", now())}
        known = {key: self.metadata[key] for key in ("name", "namespace", "uid", "creationTimestamp")}
        self.values = {f"workflow.{key}": value for key, value in known.items()}
        self.values["workflow.serviceAccountName"] = self.spec.get("serviceAccountName", "default")
        self.values |= {f"workflow.parameters.{item['name']}": str(item["value"]) for item in parameters_of(self.spec)}
        for kind in ("labels", "annotations"):
            self.values |= {f"workflow.{kind}.{key}": value for key, value in self.metadata.get(kind, {}).items()}
        self.templates: dict[str, Object] = {template["name"]: template for template in self.spec["templates"]}
        self.left_seconds = self.cluster.seconds_left(self.uid, self.spec.get("activeDeadlineSeconds"))
        if self.left_seconds is not None and self.left_seconds > 0:
            self.again_seconds.append(self.left_seconds)

    def is_exit(self, name: str) -> bool:
        """Tell whether a node belongs to the exit handler."""
        return name.startswith(f"{self.name}.onExit")

    def why_stopped(self, name: str) -> str:
        """Return why a node's pod must not run, or nothing."""
        if self.shutdown == "Terminate" or (self.shutdown == "Stop" and not self.is_exit(name)):
            return f"workflow shutdown with strategy:  {self.shutdown}"
        is_late = self.left_seconds is not None and self.left_seconds <= 0
        return "Step exceeded its deadline" if is_late and not self.is_exit(name) else ""

    def _finish(self, node: Object) -> None:
        phase = node["phase"] if node["phase"] in BAD else "Succeeded"
        message = f"Stopped with strategy '{self.shutdown}'" if self.shutdown and phase in BAD else node.get("message", "")
        if (handler := self.spec.get("onExit")) and self.shutdown != "Terminate":
            self.values["workflow.status"] = phase
            self.values["workflow.failures"] = json.dumps(json.dumps(self._failures()))
            last = execute(self, f"{self.name}.onExit", handler, self.spec.get("arguments") or {})
            if last is None or not is_fulfilled(last):
                return
            if phase == "Succeeded" and last["phase"] in BAD:
                phase, message = last["phase"], last.get("message", "")
        self.end(phase, message)

    def _failures(self) -> list[Object]:
        keys = ("displayName", "message", "templateName", "phase", "finishedAt")
        return [{key: node.get(key) for key in keys} for node in self.nodes.by_id.values() if node["phase"] in BAD]

    def end(self, phase: str, message: str = "") -> None:
        """Write down how the Workflow has ended."""
        self.status.pop("synchronization", None)
        self.status.pop("message", None)
        self.status |= {"phase": phase, "startedAt": self.status.get("startedAt", now()), "finishedAt": now()}
        self.status |= {"message": message} if message else {}

    def _write(self) -> None:
        pods = [node for node in self.nodes.by_id.values() if node["type"] == "Pod"]
        self.status["progress"] = f"{sum(node['phase'] in FULFILLED for node in pods)}/{len(pods)}"
        labels = {PHASE: self.status["phase"], COMPLETED: str(self.status["phase"] in ENDED).lower()}

        def change(old: Object) -> Object:
            if old["metadata"]["resourceVersion"] != self.metadata["resourceVersion"]:
                raise conflict(self.cluster.api.installed["workflows"], self.name)
            old["metadata"]["labels"] = old["metadata"].get("labels", {}) | labels
            return {**old, "status": self.status}

        self.cluster.api.update("workflows", self.name, self.namespace, change)
