"""The logs of a whole run: every pod of every step, and what the run's record keeps of pods that are gone."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

from hub_steps.logs import readable
from hubc.backends.argo.kinds import WORKFLOWS
from hubc.backends.argo.nodes import ENDED_PHASES, has_ended, is_offloaded, step_nodes
from hubc.backends.argo.pod_logs import PodLog
from hubc.backends.argo.pods import by_step, phase, rank
from hubc.backends.argo.sighting import pods_of
from hubc.backends.argo.status import declared_steps
from hubc.errors import HubcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Object

WAITING_LINES = 1000
"""Lines that are read ahead of whoever shows them."""
Item = str | Exception | None


class RunLogs:
    """Reads the logs of one run; `stored` yields the lines that its record keeps of a step's node, after so many."""

    def __init__(
        self, cluster: Cluster, run: str, step: str | None, stored: Callable[[str, int, int], Iterator[str]]
    ) -> None:
        self.cluster, self.run, self.step, self.stored = cluster, run, step, stored
        self.told: Counter[tuple[str, int]] = Counter()
        """Lines of each step and node that pods have told, all attempts together, as in the record."""
        self.read: list[tuple[str, int, PodLog]] = []
        """Step, node and log of each pod."""

    def now(self, workflow: Object) -> Iterator[str]:
        """Yield the lines that there are, step by step."""
        pods = by_step(pods_of(self.cluster, self.run))
        for id, nodes in self._steps(workflow):
            for pod in pods.get(id, []):
                yield from self._labelled(self._log(id, pod).now(), id, nodes, rank(pod))
            yield from self._kept(workflow, id, nodes)

    def follow(self, workflow: Object) -> Iterator[str]:
        """Yield lines as they come, of all pods at once, until the run has ended."""
        lines: queue.Queue[Item] = queue.Queue(WAITING_LINES)
        over = threading.Event()
        reading: dict[str, threading.Thread] = {}
        try:
            while True:
                is_last = has_ended(workflow)
                self._start_readers(workflow, reading, lines, over)
                yield from self._drain(lines, reading, is_last=is_last)
                if is_last:
                    break
                found = self.cluster.find(WORKFLOWS, self.run)
                if found is None:
                    return
                workflow = found
        finally:
            over.set()
        for id, nodes in self._steps(workflow):
            yield from self._kept(workflow, id, nodes)

    def _steps(self, workflow: Object) -> list[tuple[str, int]]:
        found = [(str(item["id"]), int(str(item.get("nodes", 1)))) for item in declared_steps(workflow)]
        return [pair for pair in found if self.step in (None, pair[0])]

    def _start_readers(
        self, workflow: Object, reading: dict[str, threading.Thread], lines: queue.Queue[Item], over: threading.Event
    ) -> None:
        pods = by_step(pods_of(self.cluster, self.run))
        for id, nodes in self._steps(workflow):
            for pod in pods.get(id, []):
                if pod["metadata"]["uid"] not in reading and phase(pod) != "Pending":
                    source = self._labelled(self._log(id, pod).follow(), id, nodes, rank(pod))
                    thread = threading.Thread(target=_pump, args=(source, lines, over), daemon=True)
                    reading[pod["metadata"]["uid"]] = thread
                    thread.start()

    def _drain(self, lines: queue.Queue[Item], reading: dict[str, threading.Thread], *, is_last: bool) -> Iterator[str]:
        """Yield lines until it is time to look for new pods, or, at the end, until all readers are done."""
        until = time.monotonic() + self.cluster.patience.poll
        while True:
            alive = any(thread.is_alive() for thread in reading.values())
            left = self.cluster.patience.poll if is_last else until - time.monotonic()
            if left <= 0:
                return
            try:
                item = lines.get(timeout=left) if alive or not is_last else lines.get_nowait()
            except queue.Empty:
                if is_last and alive:
                    continue
                return
            if isinstance(item, Exception):
                raise item
            if item is not None:
                yield item

    def _labelled(self, lines: Iterator[str], step: str, nodes: int, rank: int) -> Iterator[str]:
        label = step if nodes == 1 else f"{step}/{rank}"
        for line in lines:
            self.told[step, rank] += 1
            yield f"{label} | {readable(line)}"

    def _log(self, step: str, pod: Object) -> PodLog:
        log = PodLog(self.cluster, pod)
        self.read.append((step, rank(pod), log))
        return log

    def _kept(self, workflow: Object, step: str, nodes: int) -> Iterator[str]:
        """Yield what the run's record keeps of a step that has ended, beyond what its pods have told."""
        known = {} if is_offloaded(workflow) else step_nodes(workflow)
        if step not in known or known[step].phase not in ENDED_PHASES:
            return
        for node in range(nodes):
            if not self._is_whole(step, node, known[step].phase):
                yield from self._labelled(self.stored(step, node, self.told[step, node]), step, nodes, node)

    def _is_whole(self, step: str, node: int, phase: str) -> bool:
        """Tell whether the last attempt was read: Argo keeps the pods of failed attempts, and not one that did well."""
        ends = {log.ended for name, rank, log in self.read if (name, rank) == (step, node)} - {""}
        return "Succeeded" in ends if phase == "Succeeded" else bool(ends)


def _pump(source: Iterator[str], lines: queue.Queue[Item], over: threading.Event) -> None:
    """Read a log in a thread of its own until it ends or nobody wants it any more; None wakes whoever waits."""
    end: Item = None
    try:
        for line in source:
            while not over.is_set():
                try:
                    lines.put(line, timeout=1.0)
                    break
                except queue.Full:
                    continue
            if over.is_set():
                return
    except HubcError as error:
        end = error
    if not over.is_set():
        lines.put(end)
