"""The log of one pod's step, whole and without repetition, over dropped connections and restarts of the container."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hubc.backends.argo.kinds import PODS, Asked
from hubc.backends.argo.patience import pause_before_next
from hubc.backends.argo.pods import ENDED_PODS, container, phase
from hubc.backends.argo.refusals import DroppedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Object

Moment = tuple[int, int]
"""Seconds and nanoseconds."""
NOT_STARTED = 400
BEGINNING: Moment = (0, 0)


class PodLog:
    """Reads the log of the container in a pod that runs the step."""

    def __init__(self, cluster: Cluster, pod: Object) -> None:
        self.cluster = cluster
        self.name, self.uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        self.container = container(pod)
        self.ended = ""
        """How the pod ended, once its log was read to the end."""
        self._last, self._count = BEGINNING, 0
        self._is_missing = False
        self._restarts = 0

    def now(self) -> Iterator[str]:
        """Yield the lines that there are by now."""
        pod = self._pod()
        if pod is not None:
            yield from self._pieces(pod, follow=False)
            self._note(pod)

    def follow(self) -> Iterator[str]:
        """Yield lines until the pod has ended or is gone.

        Raises UnreachableError if the cluster stays out of reach.
        """
        pauses = iter(self.cluster.patience.pauses)
        while True:
            try:
                # The state comes first: what is written until the pod ends belongs to it.
                pod = self._pod()
                if pod is None:
                    return
                for line in self._pieces(pod, follow=phase(pod) not in ENDED_PODS):
                    pauses = iter(self.cluster.patience.pauses)
                    yield line
                if self._note(pod):
                    return
                time.sleep(self.cluster.patience.poll)
            except (DroppedError, RefusedError) as error:
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause_before_next(error, pause, self.cluster.patience))

    def _note(self, pod: Object) -> bool:
        """Tell whether a pod had ended, and note how if all of its log was there."""
        if phase(pod) not in ENDED_PODS:
            return False
        self.ended = "" if self._is_missing else phase(pod)
        return True

    def _pieces(self, pod: Object, *, follow: bool) -> Iterator[str]:
        yield from self._before_restart(pod)
        yield from self._read(follow=follow)

    def _pod(self) -> Object | None:
        """Return the pod as it is now; another of the same name is not it."""
        found = self.cluster.find(PODS, self.name)
        return found if found and found["metadata"]["uid"] == self.uid else None

    def _before_restart(self, pod: Object) -> Iterator[str]:
        """Yield what a container wrote that has been replaced since we looked: only its last log is kept."""
        statuses = pod.get("status", {}).get("containerStatuses", [])
        restarts = sum(item.get("restartCount", 0) for item in statuses if item["name"] == self.container)
        if restarts > self._restarts:
            yield from self._read(follow=False, previous=True)
            self._restarts = restarts

    def _read(self, *, follow: bool, previous: bool = False) -> Iterator[str]:
        query = {"container": self.container, "timestamps": "true"}
        query |= {"follow": "true"} if follow else {}
        query |= {"previous": "true"} if previous else {}
        if self._last > BEGINNING:
            query["sinceTime"] = f"{datetime.fromtimestamp(self._last[0], UTC):%Y-%m-%dT%H:%M:%SZ}"
        asked = Asked("get", PODS, PODS.path(self.cluster.namespace, self.name, "log"), self.name, query)
        try:
            yield from self._new(self.cluster.stream(asked, self.cluster.patience.stream))
        except RefusedError as error:
            # Not started yet, or gone by now: the pod will tell which.
            self._is_missing = error.is_absence
            if error.code != NOT_STARTED and not error.is_absence:
                raise

    def _new(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield lines that were not yielded before: times are asked for in whole seconds, so some come again."""
        to_skip, is_known = self._count, self._last > BEGINNING
        for line in lines:
            at, text = _split(line)
            if is_known and at is not None:
                if at < self._last:
                    continue
                if at == self._last and to_skip:
                    to_skip -= 1
                    continue
                is_known = False
            if at is not None and at >= self._last:
                self._count = self._count + 1 if at == self._last else 1
                self._last = at
            yield text


def _split(line: str) -> tuple[Moment | None, str]:
    """Return when a line was written and what it says."""
    stamp, _, text = line.partition(" ")
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return None, line
    fraction = stamp.partition(".")[2].rstrip("Z").partition("+")[0].partition("-")[0]
    return (int(at.timestamp() // 1), int(fraction.ljust(9, "0")) if fraction.isdecimal() else 0), text
