"""The scheduler and the kubelet of a cluster with one node: pods become processes."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from argo_controller.pods import PodRun

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kube import KubeApi

    from argo_controller.cluster import Settings

Object = dict[str, Any]
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "LANG", "VIRTUAL_ENV")


class Kubelet:
    """Runs the pods that it is given.

    `root`: volumes lie in `root/claims/<claim>`, all else of a pod in `root/pods/<pod>`. `shared`: paths that are the same
    place in every pod, mounted or not. `programs`: what stands for a program that is not installed here.
    `unschedulable`: why pods find no node, if they find none. `bad_images`: image to the message of the failing pull.
    """

    def __init__(
        self, api: KubeApi, root: Path, settings: Settings, shared: Mapping[str, Path], programs: Mapping[str, list[str]]
    ) -> None:
        self.api, self.root, self.settings, self.shared, self.programs = api, root, settings, shared, programs
        self.environment = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        self.kept = str(root.parent)
        """Paths below it are this machine's own already."""
        self.is_paused = False
        self.unschedulable = ""
        self.bad_images: dict[str, str] = {}
        self._runs: dict[str, tuple[PodRun, threading.Thread]] = {}

    def start(self, pod: Object) -> None:
        """Run a pod from now on."""
        run = PodRun(self, pod)
        thread = threading.Thread(target=run.run, name=pod["metadata"]["name"], daemon=True)
        self._runs[run.record.uid] = (run, thread)
        thread.start()

    def terminate(self, uid: str) -> None:
        """Ask a pod's containers to end, and kill them when their time is up; the pod stays."""
        self._runs[uid][0].terminate()
        self.wake()

    def kill(self, name: str, container: str | None = None) -> None:
        """Kill the processes of a pod at once, as a lack of memory does."""
        for run, thread in list(self._runs.values()):
            if run.record.name == name and thread.is_alive():
                run.kill(container)

    def wake(self) -> None:
        """Let everything look again, after a knob was turned."""
        with self.api.store.changed:
            self.api.store.changed.notify_all()

    def close(self) -> None:
        """Kill all pods."""
        self.is_paused = False
        runs: Iterable[tuple[PodRun, threading.Thread]] = list(self._runs.values())
        for run, _ in runs:
            run.abandon()
        self.wake()
        for _, thread in runs:
            thread.join()
