"""Requests to a Kubernetes API: each has a time limit, passing failures are waited out, all others are explained."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.connection import connect, server_name
from hubc.backends.argo.kinds import NAMESPACES, PODS, Asked, Kind
from hubc.backends.argo.patience import Patience, repeated
from hubc.backends.argo.refusals import GONE, DroppedError, Place, RefusedError, refused, unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from hubc.backends.argo.kinds import Object
    from hubc.spec.cluster import Argo

METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}
"""The others are GET."""
CONFLICT = 409
PAGE = 50
"""Objects a page: a Workflow can be a megabyte."""
CHUNK = 1 << 16


class Cluster:
    """One namespace of a cluster."""

    def __init__(self, argo: Argo, patience: Patience, kubeconfig: Path | None = None) -> None:
        self.patience = patience
        self.namespace = argo.namespace
        self._client = connect(argo.context, kubeconfig)
        self.place = Place(server_name(self._client), argo.namespace, argo.context)

    def create(self, kind: Kind, body: Object, *, dry_run: bool = False) -> Object:
        """Create an object; with `dry_run`, only learn whether it could be."""
        query = {"dryRun": "All"} if dry_run else {}
        return self._object(Asked("create", kind, kind.path(self.namespace), body["metadata"]["name"], query, body))

    def get(self, kind: Kind, name: str) -> Object:
        """Return an object; raises RefusedError if there is none."""
        return self._object(Asked("get", kind, kind.path(self.namespace, name), name))

    def find(self, kind: Kind, name: str) -> Object | None:
        """Return an object, or None."""
        if not name:
            return None
        try:
            return self.get(kind, name)
        except RefusedError as error:
            if error.is_absence:
                return None
            raise

    def find_all(self, kind: Kind, *, labels: str = "", fields: str = "") -> list[Object]:
        """Return all objects that fit the selectors."""
        return self.snapshot(kind, labels=labels, fields=fields)[0]

    def snapshot(self, kind: Kind, *, labels: str = "", fields: str = "") -> tuple[list[Object], str]:
        """Return all objects that fit the selectors, and the version to watch them from; anew if a page comes too late."""
        for _ in self.patience.pauses:
            try:
                return self._pages(kind, labels, fields)
            except RefusedError as error:
                if error.code != GONE:
                    raise
        return self._pages(kind, labels, fields)

    def replace(self, kind: Kind, body: Object) -> Object:
        """Replace an object by a newer version of the one that was read."""
        name = body["metadata"]["name"]
        return self._object(Asked("update", kind, kind.path(self.namespace, name), name, {}, body))

    def patch(self, kind: Kind, name: str, change: Object) -> Object:
        """Merge a change into an object."""
        return self._object(Asked("patch", kind, kind.path(self.namespace, name), name, {}, change))

    def delete(self, kind: Kind, name: str, *, uid: str = "") -> bool:
        """Delete an object after what it owns; one that does not exist is as good as deleted.

        With `uid`, another object of the same name stays; False says that it does.
        """
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
        options |= {"preconditions": {"uid": uid}} if uid else {}
        try:
            self._object(Asked("delete", kind, kind.path(self.namespace, name), name, {}, options))
        except RefusedError as error:
            if uid and error.code == CONFLICT:
                return False
            if not error.is_absence:
                raise
        return True

    def group(self, kind: Kind) -> Object:
        """Return what the server says of a kind's API group; raises RefusedError if it does not serve it."""
        return self._object(Asked("get", kind, f"/apis/{kind.group}"))

    def about(self, path: str) -> Object:
        """Return what the server says of itself at a path such as `/version`; raises RefusedError if it knows none."""
        return self._object(Asked("get", Kind(path.strip("/")), path))

    def review(self, kind: Kind, name: str, spec: Object) -> Object:
        """Return the answer to a question that is asked by creating an object, a `name`, which is kept nowhere."""
        body = {"apiVersion": f"{kind.group}/{kind.version}", "kind": name, "spec": spec}
        return self._object(Asked("create", kind, kind.path(self.namespace), "", {}, body))

    def log(self, pod: str, query: Mapping[str, Any]) -> str:
        """Return a piece of a container's log."""
        asked = Asked("get", PODS, PODS.path(self.namespace, pod, "log"), pod, query)
        return self._bytes(asked).decode(errors="replace")

    def check_namespace(self) -> None:
        """Raise RefusedError if the namespace does not exist; whoever may not look finds out otherwise."""
        try:
            self.get(NAMESPACES, self.namespace)
        except RefusedError as error:
            if error.code == 404:
                raise

    def stream(self, asked: Asked, silent_seconds: float) -> Iterator[str]:
        """Yield the lines of an answer that goes on, until the server ends it.

        Raises DroppedError if it breaks off or is silent for so many seconds, and RefusedError.
        """
        answer, rest = self._send(asked, silent_seconds), b""
        try:
            for chunk in self._chunks(answer):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
            if rest:
                yield rest.decode(errors="replace")
        finally:
            answer.close()

    def _pages(self, kind: Kind, labels: str, fields: str) -> tuple[list[Object], str]:
        query = {"limit": PAGE, "labelSelector": labels, "fieldSelector": fields}
        found: list[Object] = []
        while True:
            answer = self._object(Asked("list", kind, kind.path(self.namespace), "", query))
            found += answer["items"]
            if not (token := answer["metadata"].get("continue")):
                return found, str(answer["metadata"].get("resourceVersion", ""))
            query = {**query, "continue": token}

    def _object(self, asked: Asked) -> Object:
        try:
            data = json.loads(self._bytes(asked))
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise DroppedError(f"{self.place.server} does not answer as a Kubernetes API does; is its address right?")
        return data

    def _bytes(self, asked: Asked) -> bytes:
        def once() -> bytes:
            return b"".join(self._chunks(self._send(asked, self.patience.answer)))

        return repeated(once, self.patience)

    def _chunks(self, answer: Any) -> Iterator[bytes]:
        from urllib3.exceptions import HTTPError

        try:
            yield from answer.stream(CHUNK) if not answer.chunked else answer.stream(None)
        except (HTTPError, OSError) as error:
            raise DroppedError(f"{self.place.server} broke off its answer ({type(error).__name__})") from None

    def _send(self, asked: Asked, seconds: float) -> Any:
        """Send one request and return its answer, whose body is still to be read."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        content = "application/merge-patch+json" if asked.verb == "patch" else "application/json"
        headers = {"Accept": "application/json, */*", "Content-Type": content}
        pairs = [(key, value) for key, value in asked.query.items() if value != ""]
        try:
            method, url, headers, _, _ = self._client.param_serialize(
                METHODS.get(asked.verb, "GET"), asked.path,
                query_params=pairs, header_params=headers, auth_settings=["BearerToken"],
            )  # fmt: skip
            timeout = (self.patience.connect, seconds)
            answer = self._client.call_api(method, url, headers, asked.body, _request_timeout=timeout).response
        except (HTTPError, ApiException, OSError) as error:
            raise unreachable(self.place, error) from None
        except ValueError as error:
            # Its text may quote the header with the token.
            text = f"the login in the kubeconfig cannot be sent ({type(error).__name__}); log in again"
            raise RefusedError(text, 401, "", "") from None
        if not 200 <= answer.status < 300:
            said = b"".join(self._chunks(answer))
            raise refused(self.place, asked, answer.status, said, answer.headers)
        return answer
