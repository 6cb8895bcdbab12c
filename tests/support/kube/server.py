"""The server, what tests set up and look at, and the kubeconfig that leads to it."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web

from kube.faults import Fault, Faults
from kube.handlers import handle
from kube.logs import Logs
from kube.patches import merged
from kube.removal import delete
from kube.requests import definitions
from kube.resources import RESOURCES
from kube.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from kube.requests import Seen
    from kube.selectors import Object

TOKEN = "stand-in-token"
CONTEXT = "stand-in"


class KubeApi:
    """A Kubernetes API on a free port of this machine. Every method may be called from any thread.

    `token`: the only one that is let in, None lets everybody in. `denied`: (verb, resource) pairs that are forbidden,
    `denied_to`: those of other users, by name. `is_opaque`: rights can only be asked for one by one.
    `seen`: all requests. `installed`: the resources that are served.
    """

    def __init__(self, *namespaces: str) -> None:
        self.store, self.logs, self.faults = Store(), Logs(), Faults()
        self.token: str | None = TOKEN
        self.denied: set[tuple[str, str]] = set()
        self.denied_to: dict[str, set[tuple[str, str]]] = {}
        self.is_opaque = False
        self.seen: list[Seen] = []
        self.installed = dict(RESOURCES)
        self.is_closing = False
        for name in ("default", *namespaces):
            self.create("namespaces", {"metadata": {"name": name}, "status": {"phase": "Active"}})
        for definition in definitions():
            self.create("customresourcedefinitions", definition)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait()

    def kubeconfig(self, path: Path, *, namespace: str = "default", token: str = TOKEN, context: str = CONTEXT) -> Path:
        """Write a kubeconfig file with one context, the current one."""
        cluster = {"name": "stand-in", "cluster": {"server": self.url}}
        user = {"name": "tester", "user": {"token": token}}
        told = {"name": context, "context": {"cluster": "stand-in", "user": "tester", "namespace": namespace}}
        data = {"apiVersion": "v1", "kind": "Config", "current-context": context, "clusters": [cluster], "users": [user],
                "contexts": [told]}  # fmt: skip
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return path

    def create(self, plural: str, data: Object, namespace: str | None = None) -> Object:
        """Add an object as it is given, with status and age."""
        namespace = namespace or data.get("metadata", {}).get("namespace")
        return self.store.create(RESOURCES[plural], namespace, data, trusted=True)

    def get(self, plural: str, name: str, namespace: str | None = None) -> Object:
        """Return an object; raises ApiError if there is none."""
        return self.store.get(RESOURCES[plural], namespace, name)

    def find(self, plural: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, or None."""
        return self.store.find(RESOURCES[plural], namespace, name)

    def list(self, plural: str, namespace: str | None = None) -> list[Object]:
        """Return all objects of a kind."""
        return self.store.list(RESOURCES[plural], namespace)[0]

    def patch(self, plural: str, name: str, namespace: str | None, change: Object) -> Object:
        """Merge a change into an object, its status included."""
        return self.store.update(RESOURCES[plural], namespace, name, lambda old: merged(old, change), trusted=True)

    def update(self, plural: str, name: str, namespace: str | None, change: Callable[[Object], Object]) -> Object:
        """Replace an object by what `change` makes of it, its status included."""
        return self.store.update(RESOURCES[plural], namespace, name, change, trusted=True)

    def delete(self, plural: str, name: str, namespace: str | None = None, **options: Any) -> None:
        """Delete an object; `gracePeriodSeconds=0` as the kubelet does when a pod has ended."""
        delete(self.store, RESOURCES[plural], namespace, name, options)

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every change, quickly and in any thread; return what ends that."""
        self.store.listeners.add(listener)
        return lambda: self.store.listeners.discard(listener)

    def wait_until(self, test: Callable[[], bool], timeout_seconds: float = 30.0) -> None:
        """Wait until something is true of the objects or requests; raises TimeoutError if it does not become so."""
        with self.store.changed:
            if not self.store.changed.wait_for(test, timeout_seconds):
                raise TimeoutError("the objects never became as they should")

    def append_log(self, pod: str, namespace: str, text: str, container: str = "main", at: datetime | None = None) -> None:
        """Add lines to the log of a container."""
        with self.store.changed:
            self.logs.append(self._log_key(pod, namespace, container), text, at)
            self.store.changed.notify_all()
            self._tell()

    def restart_container(self, pod: str, namespace: str, container: str = "main") -> None:
        """Begin a container's log anew and count the restart."""
        self.logs.restart(self._log_key(pod, namespace, container))

        def count(old: Object) -> Object:
            status = old["status"]
            known = {item["name"]: item for item in status.get("containerStatuses", [])}
            item = known.setdefault(container, {"name": container, "restartCount": 0})
            known[container] = {**item, "restartCount": item["restartCount"] + 1, "state": {"running": {}}}
            return {**old, "status": {**status, "containerStatuses": list(known.values())}}

        self.update("pods", pod, namespace, count)

    def event(self, namespace: str, kind: str, name: str, reason: str, message: str, type: str = "Warning") -> Object:
        """Add an event about an object."""
        subject = {"kind": kind, "name": name, "namespace": namespace}
        metadata = {"generateName": f"{name}."}
        event = {"metadata": metadata, "involvedObject": subject, "reason": reason, "message": message, "type": type}
        return self.create("events", event, namespace)

    def fault(self, verb: str, resource: str, **what: Any) -> Fault:
        """Let something go wrong with the next requests of a kind; see Fault."""
        fault = Fault(verb, resource, **what)
        self.faults.add(fault)
        return fault

    def uninstall(self, *plurals: str) -> None:
        """Serve some resources no longer, as if their definitions had never been installed."""
        for plural in plurals:
            resource = self.installed.pop(plural)
            self.delete("customresourcedefinitions", resource.qualified)

    def note(self, seen: Seen) -> None:
        """Keep a request, and tell who waits for it."""
        with self.store.changed:
            self.seen.append(seen)
            self.store.changed.notify_all()

    def asked(self, verb: str, resource: str) -> list[Seen]:
        """Return the requests of a kind."""
        return [item for item in self.seen if (item.verb, item.resource) == (verb, resource)]

    def close(self) -> None:
        """End the server and everything that is streaming."""
        self.is_closing = True
        self._tell()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _log_key(self, pod: str, namespace: str, container: str) -> tuple[str, str]:
        return self.get("pods", pod, namespace)["metadata"]["uid"], container

    def _tell(self) -> None:
        for listener in tuple(self.store.listeners):
            listener()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        app = web.Application(client_max_size=8 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await handle(self, request)
