"""Argo Workflows, the controllers of training jobs, and the node: all that acts on the objects of a cluster."""

from __future__ import annotations

import threading
import time
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from kube import ApiError

from argo_controller.cluster import Cluster, Settings
from argo_controller.jobs import reconcile_job
from argo_controller.jobsets import reconcile_jobset
from argo_controller.kubeflow import reconcile_pytorchjob, reconcile_trainjob
from argo_controller.kubelet import Kubelet
from argo_controller.leaves import WORKFLOW, owner
from argo_controller.workflows import ENDED, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kube import KubeApi

Object = dict[str, Any]
Key = tuple[str, str, str]
_JOBS: Mapping[str, Callable[[Cluster, Object], float | None]] = {
    "jobs": reconcile_job,
    "jobsets": reconcile_jobset,
    "trainjobs": reconcile_trainjob,
    "pytorchjobs": reconcile_pytorchjob,
}


class Controller:
    """Acts on what it sees in the API until it is closed; `kubelet` and `settings` have the knobs.

    `root`: an empty folder for volumes and pods. `shared`: paths that every pod finds at one place, such as `/models`.
    `programs`: program to the words that stand for it, such as `{"vllm": [sys.executable, "fake.py"]}`.
    """

    def __init__(
        self, api: KubeApi, root: Path, *, shared: Mapping[str, Path] | None = None,
        programs: Mapping[str, list[str]] | None = None, settings: Settings | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings or Settings()
        self.api, self.kubelet = api, Kubelet(api, root, self.settings, shared or {}, programs or {})
        self._cluster = Cluster(api, self.kubelet, self.settings)
        self._due: dict[Key, float] = {}
        self._seen = 0
        self._is_closing = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._loop, name="controller", daemon=True)
        self._thread.start()

    def spawn(self, cron: str, namespace: str) -> str:
        """Start the Workflow of a CronWorkflow as if its time had come; return its name."""
        found = self.api.get("cronworkflows", cron, namespace)
        given = found["spec"].get("workflowMetadata") or {}
        name = f"{cron}-{time.time_ns() // 1000}"
        labels = {**given.get("labels", {}), "workflows.argoproj.io/cron-workflow": cron}
        metadata = {**given, "name": name, "labels": labels, "ownerReferences": [owner(found)]}
        self.api.create("workflows", {"metadata": metadata, "spec": found["spec"]["workflowSpec"]}, namespace)
        return name

    def kill_executor(self, pod: str, namespace: str) -> None:
        """Let a pod vanish with its node: Argo finds it deleted."""
        self.api.delete("pods", pod, namespace, gracePeriodSeconds=0)

    def close(self) -> None:
        """Kill all pods and stop; raises what the controller itself broke on, if it did."""
        self._is_closing = True
        self.kubelet.wake()
        self._thread.join()
        self.kubelet.close()
        if self._failure:
            raise self._failure

    def _loop(self) -> None:
        try:
            while not self._is_closing:
                for key in self._next():
                    self._look_at(key)
        except Exception as error:
            # `close` tells the test, which would otherwise only time out.
            self._failure = error

    def _next(self) -> list[Key]:
        """Wait for something to do, and return the objects that are concerned."""
        store = self.api.store
        with store.changed:
            until = min(self._due.values(), default=None)
            left = None if until is None else max(0.0, until - time.monotonic())
            store.changed.wait_for(lambda: self._is_closing or store.version > self._seen, left)
            late = {key for key, at in self._due.items() if at <= time.monotonic()}
            if store.oldest > self._seen:
                changed = set(store.objects)
            else:
                changes = [item for item in store.history if item.version > self._seen]
                changed = {key for item in changes for key in _concerned(item.plural, item.new or item.old or {})}
            self._seen = store.version
        for key in late:
            del self._due[key]
        return sorted(late | changed)

    def _look_at(self, key: Key) -> None:
        try:
            # Nobody deletes meanwhile: what is made for an owner that is gone would stay, since nobody collects it here.
            with self.api.store.changed:
                self._act_on(key, deepcopy(self.api.store.objects.get(key)))
        except ApiError as error:
            # Somebody changed or removed what this look was about: the next one sees that.
            if error.code not in (404, 409):
                raise
            self._again(key, 0.05)

    def _act_on(self, key: Key, found: Object | None) -> None:
        plural = key[0]
        if plural == "workflows":
            self._operate(key, found)
        elif plural in _JOBS and found and "deletionTimestamp" not in found["metadata"]:
            self._again(key, _JOBS[plural](self._cluster, found))

    def _operate(self, key: Key, found: Object | None) -> None:
        known = {item["metadata"]["uid"] for item in self.api.list("workflows")}
        for queue in self._cluster.locks.values():
            queue[:] = [uid for uid in queue if uid in known]
        if found is None or "deletionTimestamp" in found["metadata"]:
            self._wake_waiting()
            return
        run = Operation(self._cluster, found)
        run.run()
        self._again(key, min(run.again_seconds, default=None))
        if run.status.get("phase") in ENDED:
            self._wake_waiting()

    def _wake_waiting(self) -> None:
        for item in self.api.list("workflows"):
            if item.get("status", {}).get("phase") == "Pending":
                self._again(("workflows", item["metadata"]["namespace"], item["metadata"]["name"]), 0.0)

    def _again(self, key: Key, seconds: float | None) -> None:
        if seconds is not None:
            at = time.monotonic() + seconds
            self._due[key] = min(at, self._due.get(key, at))


def _concerned(plural: str, found: Object) -> list[Key]:
    """Return what must be looked at when an object has changed: itself, its owners, its Workflow."""
    metadata = found["metadata"]
    namespace = metadata.get("namespace", "")
    keys = [(plural, namespace, metadata["name"])]
    keys += [(f"{item['kind'].lower()}s", namespace, item["name"]) for item in metadata.get("ownerReferences", [])]
    if workflow := metadata.get("labels", {}).get(WORKFLOW):
        keys.append(("workflows", namespace, workflow))
    return keys
