"""The life of one pod."""

from __future__ import annotations

import json
import signal
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argo_controller.environment import MissingError, expand, fill_volume, variables
from argo_controller.executor import Executor, output_parameters
from argo_controller.leaves import EXECUTOR, TEMPLATE
from argo_controller.nodes import now
from argo_controller.places import PodPlaces
from argo_controller.pod_record import PodRecord, running, terminated
from argo_controller.processes import NOT_FOUND, Process, command_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from argo_controller.kubelet import Kubelet

Object = dict[str, Any]
LATE = "Pod was active on the node longer than the specified deadline"


class GoneError(Exception):
    """The pod was deleted, or must end, before it had run."""


class PodRun:
    """A pod from its creation to its end."""

    def __init__(self, kubelet: Kubelet, pod: Object) -> None:
        self._kubelet, self._api, self._pod = kubelet, kubelet.api, pod
        self.record = PodRecord(self._api, pod)
        self._template: Object = json.loads(pod["metadata"].get("annotations", {}).get(TEMPLATE, "{}"))
        self._places = PodPlaces(
            pod, kubelet.root / "pods" / self.record.uid, kubelet.shared, kubelet.root / "claims", kubelet.kept
        )
        self._running: dict[str, Process | Executor] = {}
        self._must_end = False

    def run(self) -> None:
        """Run the pod until it has ended or is gone."""
        try:
            self._wait(lambda: not self._is_held())
            self.record.write(node="node-1", conditions=[{"type": "PodScheduled", "status": "True"}])
            self.record.states = {"init": terminated(0), "wait": running()}
            self._wait(self._has_images)
            self._wait(self._has_volumes)
            code = self._run_init_containers()
            self._end(code if code else self._run_containers())
        except GoneError:
            self._stop_all()
            # Of a pod that is deleted nobody sees the end: it is there, and then it is not.
            if self._must_end and not self.record.is_deleted():
                self._end(137)
        if self.record.is_deleted():
            self.record.remove()

    def terminate(self) -> None:
        """Ask the pod to end."""
        self._must_end = True

    def kill(self, container: str | None) -> None:
        """Kill the containers, or one of them, at once."""
        for name, process in list(self._running.items()):
            if container in (None, name):
                process.signal(signal.SIGKILL)

    def abandon(self) -> None:
        """End without telling anybody."""
        self.record.is_closed = True

    def _is_ending(self) -> bool:
        return self._must_end or self.record.is_deleted()

    def _wait(self, test: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until something is so, or the time is up; raises GoneError when the pod must end."""
        with self._api.store.changed:
            found = self._api.store.changed.wait_for(lambda: self._is_ending() or test(), seconds)
            if self._is_ending():
                raise GoneError
            return found

    def _is_held(self) -> bool:
        if why := self._kubelet.unschedulable:
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            self.record.write(conditions=[condition])
        return self._kubelet.is_paused or bool(why)

    def _has_images(self) -> bool:
        for item in self._pod["spec"]["containers"]:
            if message := self._kubelet.bad_images.get(item.get("image", "")):
                self.record.states[item["name"]] = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
                self.record.show()
                return False
        return True

    def _has_volumes(self) -> bool:
        try:
            for volume in self._pod["spec"].get("volumes", []):
                fill_volume(self._api, self._pod, volume, self._places.volume(volume["name"]))
            for item in [*self._pod["spec"].get("initContainers", []), *self._pod["spec"]["containers"]]:
                variables(self._api, self._pod, item)
        except MissingError as error:
            waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": str(error)}}
            self.record.states |= {item["name"]: waiting for item in self._pod["spec"]["containers"]}
            self.record.show()
            return False
        return True

    def _run_init_containers(self) -> int:
        for item in self._pod["spec"].get("initContainers", []):
            if item["name"] in EXECUTOR:
                self._write_artifacts()
                continue
            self._start(item)
            if item.get("restartPolicy") != "Always":
                self._wait(partial(self._has_ended, item["name"]))
                if code := self._note_end(item["name"]):
                    return code
        return 0

    def _write_artifacts(self) -> None:
        main = next(item for item in self._pod["spec"]["containers"] if item["name"] == "main")
        places = self._places.of(main)
        for artifact in self._template.get("inputs", {}).get("artifacts", []):
            path = Path(places.file(artifact["path"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(places.text(artifact["raw"]["data"]), encoding="utf-8")

    def _run_containers(self) -> int:
        """Run until the main container has ended, or all have if there is no main one; return the exit code."""
        containers = self._pod["spec"]["containers"]
        self.record.states |= {item["name"]: running() for item in containers}
        for item in containers:
            if item["name"] not in EXECUTOR:
                self._start(item)
        self.record.show(phase="Running", startTime=now())
        counted = ["main"] if self._template else [item["name"] for item in containers]
        limit = self._pod["spec"].get("activeDeadlineSeconds")
        seconds = limit * self._kubelet.settings.deadline_factor if limit else None
        if not self._wait(lambda: all(map(self._has_ended, counted)), seconds):
            self._stop_all()
            self.record.write(reason="DeadlineExceeded", message=LATE)
            return 137
        codes = [self._note_end(name) for name in counted]
        self._stop_all()
        return max(codes) or self._save_outputs()

    def _start(self, container: Object) -> None:
        name, places = container["name"], self._places.of(container)
        if "resource" in self._template:
            self._running[name] = Executor(self._api, self._pod, self._template, lambda line: self.record.log(name, line))
            return
        known = {key: places.text(value) for key, value in variables(self._api, self._pod, container).items()}
        words = [places.text(expand(word, known)) for word in [*container.get("command", []), *container.get("args", [])]]
        command = command_of(words, self._kubelet.programs)
        if command is None:
            message = f'exec: "{words[0] if words else ""}": executable file not found in $PATH'
            self.record.states[name] = terminated(NOT_FOUND, message, "StartError")
            return
        folder = places.text(container.get("workingDir", "")) or str(self._places.folder)
        self.record.states[name] = running()
        self._running[name] = Process(
            f"{self.record.uid}/{name}", command, self._kubelet.environment | known, Path(folder),
            lambda line: self.record.log(name, line), self._kubelet.wake,
        )  # fmt: skip

    def _has_ended(self, name: str) -> bool:
        return name not in self._running or self._running[name].exit_code is not None

    def _note_end(self, name: str) -> int:
        """Write down how a container has ended, and return its exit code."""
        if (process := self._running.get(name)) is not None:
            items = [*self._pod["spec"].get("initContainers", []), *self._pod["spec"]["containers"]]
            container = next(item for item in items if item["name"] == name)
            path = container.get("terminationMessagePath", "/dev/termination-log")
            note = Path(self._places.of(container).text(path))
            message = note.read_text(encoding="utf-8", errors="replace")[:4096] if note.is_file() else ""
            self.record.states[name] = terminated(process.exit_code or 0, getattr(process, "message", message))
        return int(self.record.states[name].get("terminated", {}).get("exitCode", 0))

    def _stop_all(self) -> None:
        """End what still runs: first asked, then, when the grace period is over, killed."""
        wanted = self._pod["spec"].get("terminationGracePeriodSeconds", 30)
        until = time.monotonic() + (0 if self.record.is_closed else min(wanted, self._kubelet.settings.grace_seconds))
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in self._running.values():
                process.signal(number)
            with self._api.store.changed:
                left = max(0.0, until - time.monotonic()) if number == signal.SIGTERM else None
                self._api.store.changed.wait_for(lambda: all(map(self._has_ended, self._running)), left)
        for name in self._running:
            self._note_end(name)

    def _save_outputs(self) -> int:
        """Do what Argo's `wait` container does; return its exit code."""
        main = next((item for item in self._pod["spec"]["containers"] if item["name"] == "main"), None)
        if main is None or not self._template:
            return 0
        try:
            found = output_parameters(self._template, self._places.of(main), self._running.get("main"))
        except LookupError as error:
            self.record.states["wait"] = terminated(64, str(error))
            return 64
        self._annotate({"parameters": found})
        return 0

    def _annotate(self, outputs: Object) -> None:
        code = self.record.states.get("main", {}).get("terminated", {}).get("exitCode")
        outputs |= {} if code is None else {"exitCode": str(code)}
        self.record.write(outputs=outputs)

    def _end(self, code: int) -> None:
        if self.record.current() is None:
            return
        if code and self._template:
            self._annotate({})
        self.record.states.setdefault("wait", terminated(0))
        if "running" in self.record.states["wait"]:
            self.record.states["wait"] = terminated(0)
        self.record.show(phase="Failed" if code else "Succeeded")
