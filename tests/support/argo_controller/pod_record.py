"""What the API shows of a pod that runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from argo_controller.leaves import OUTPUTS
from argo_controller.nodes import now

if TYPE_CHECKING:
    from kube import KubeApi

Object = dict[str, Any]


class PodRecord:
    """The pod's object; nothing is written once it is gone, or nobody is to know any more."""

    def __init__(self, api: KubeApi, pod: Object) -> None:
        self.states: dict[str, Object] = {}
        """Container to its state, in Kubernetes' words."""
        self.is_closed = False
        self._api, self._spec = api, pod["spec"]
        self.name, self.namespace, self.uid = (pod["metadata"][key] for key in ("name", "namespace", "uid"))

    def current(self) -> Object | None:
        """Return the pod as it is in the API, not to be changed, or None if it is gone or another one."""
        pod = self._api.store.objects.get(("pods", self.namespace, self.name))
        return pod if pod and pod["metadata"]["uid"] == self.uid and not self.is_closed else None

    def is_deleted(self) -> bool:
        """Tell whether somebody has deleted the pod."""
        pod = self.current()
        return pod is None or "deletionTimestamp" in pod["metadata"]

    def write(self, *, node: str = "", outputs: Object | None = None, **status: Any) -> None:
        """Change the pod."""
        change: Object = {"spec": {"nodeName": node} if node else {}, "status": status}
        if outputs is not None:
            change["metadata"] = {"annotations": {OUTPUTS: json.dumps(outputs)}}
        with self._api.store.changed:
            if self.current():
                self._api.patch("pods", self.name, self.namespace, change)

    def show(self, **status: Any) -> None:
        """Write down how the containers are."""
        rows = {"initContainerStatuses": self._spec.get("initContainers", []), "containerStatuses": self._spec["containers"]}
        shown: Object = {kind: [self._row(item) for item in items] for kind, items in rows.items()}
        self.write(**shown, **status)

    def _row(self, container: Object) -> Object:
        state = self.states.get(container["name"], {"waiting": {"reason": "PodInitializing"}})
        row = {"name": container["name"], "image": container.get("image", ""), "restartCount": 0}
        return {**row, "state": state, "ready": "running" in state}

    def log(self, container: str, line: str) -> None:
        """Append a line to a container's log; what a pod says once it is out of the API is lost."""
        with self._api.store.changed:
            if self.current():
                self._api.append_log(self.name, self.namespace, line, container, datetime.now(UTC))

    def remove(self) -> None:
        """Take the pod out of the API, as the kubelet does once nothing of it runs."""
        with self._api.store.changed:
            if self.current():
                self._api.delete("pods", self.name, self.namespace, gracePeriodSeconds=0)


def running() -> Object:
    """Return the state of a container that runs."""
    return {"running": {"startedAt": now()}}


def terminated(code: int, message: str = "", reason: str = "") -> Object:
    """Return the state of a container that has ended."""
    reason = reason or ("Completed" if code == 0 else "OOMKilled" if code == 137 else "Error")
    ended = {"exitCode": code, "reason": reason, "startedAt": now(), "finishedAt": now()}
    return {"terminated": ended | ({"message": message} if message else {})}
