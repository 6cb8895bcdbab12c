"""Following one object through all its changes, over dropped connections and forgotten versions."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.kinds import Asked
from hubc.backends.argo.patience import pause_before_next
from hubc.backends.argo.refusals import GONE, DroppedError, RefusedError, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Kind, Object


class Watching:
    """Follows one object until a moment of the monotonic clock, or for ever."""

    def __init__(self, cluster: Cluster, kind: Kind, name: str, until: float | None) -> None:
        self.cluster, self.kind, self.name, self.until = cluster, kind, name, until
        self.version = ""

    def states(self) -> Iterator[Object | None]:
        """Yield the object as it is and after every change; None when it does not exist. Ends when the time is up.

        Raises UnreachableError if the cluster stays out of reach.
        """
        while not self._is_over():
            found, self.version = self.cluster.snapshot(self.kind, fields=f"metadata.name={self.name}")
            yield found[0] if found else None
            yield from self._changes()

    def _changes(self) -> Iterator[Object | None]:
        """Yield changes until the time is up, or the server has forgotten the version to go on from."""
        pauses = iter(self.cluster.patience.pauses)
        while not self._is_over():
            asked = time.monotonic()
            try:
                for state in self._events():
                    pauses = iter(self.cluster.patience.pauses)
                    yield state
                # A server that goes down, or a proxy, may end each watch as soon as it begins.
                time.sleep(self._cut(max(0.0, asked + self.cluster.patience.poll - time.monotonic())))
            except (DroppedError, RefusedError) as error:
                if isinstance(error, RefusedError) and error.code == GONE:
                    return
                if self._is_over():
                    return
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(self._cut(pause_before_next(error, pause, self.cluster.patience)))

    def _events(self) -> Iterator[Object | None]:
        """Yield what one watch tells; a silent one is ended by the server, or by us if that is gone without a word."""
        seconds = self._cut(self.cluster.patience.stream)
        query = {
            "watch": "true", "fieldSelector": f"metadata.name={self.name}", "resourceVersion": self.version,
            "allowWatchBookmarks": "true", "timeoutSeconds": max(1, math.ceil(seconds)),
        }  # fmt: skip
        asked = Asked("watch", self.kind, self.kind.path(self.cluster.namespace), self.name, query)
        # A little longer than the server's own limit, but never past our own.
        for line in self.cluster.stream(asked, self._cut(seconds + self.cluster.patience.connect)):
            event = self._parsed(asked, line)
            self.version = event["object"]["metadata"].get("resourceVersion", self.version)
            if event["type"] != "BOOKMARK":
                yield None if event["type"] == "DELETED" else event["object"]

    def _parsed(self, asked: Asked, line: str) -> Any:
        try:
            event = json.loads(line)
        except ValueError:
            raise DroppedError(f"{self.cluster.place.server} broke off in the middle of an event") from None
        if event["type"] == "ERROR":
            status = event["object"]
            raise refused(self.cluster.place, asked, int(status.get("code", 500)), json.dumps(status).encode(), {})
        return event

    def _is_over(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until

    def _cut(self, seconds: float) -> float:
        """Return `seconds`, or what is left if that is less."""
        return seconds if self.until is None else max(0.001, min(seconds, self.until - time.monotonic()))
