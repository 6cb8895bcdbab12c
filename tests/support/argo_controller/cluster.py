"""What the parts of the controller share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kube import KubeApi

    from argo_controller.kubelet import Kubelet


@dataclass
class Settings:
    """How this cluster differs from a real one, mostly in being quick."""

    backoff_factor: float = 0.001
    """What waits between attempts are multiplied with."""
    deadline_factor: float = 1.0
    """What deadlines are multiplied with."""
    grace_seconds: float = 10.0
    """Longest time between SIGTERM and SIGKILL, whatever a pod asks for."""
    must_use_reference: bool = False
    """Whether only Workflows with a `workflowTemplateRef` may run."""


@dataclass
class Cluster:
    """The API, the machine that pods run on, and what is known beyond the API."""

    api: KubeApi
    kubelet: Kubelet
    settings: Settings
    locks: dict[str, list[str]] = field(default_factory=dict)
    """Mutex to the uids of the Workflows that want it; the first one has it."""
    started: dict[str, float] = field(default_factory=dict)
    """Uid to the time when the object was first seen running, finer than its status says."""
    meetings: dict[str, dict[str, str]] = field(default_factory=dict)
    """Attempt of a training to what its pods are told about each other."""

    def seconds_left(self, uid: str, limit_seconds: float | None) -> float | None:
        """Return how long something may still run, or None for any time."""
        begun = self.started.setdefault(uid, time.monotonic())
        if limit_seconds is None:
            return None
        return begun + limit_seconds * self.settings.deadline_factor - time.monotonic()

    def lock(self, names: list[str], uid: str) -> str | None:
        """Queue for mutexes; return the first one that somebody else has, or None when all are held."""
        for name in names:
            queue = self.locks.setdefault(name, [])
            if uid not in queue:
                queue.append(uid)
        return next((name for name in names if self.locks[name][0] != uid), None)

    def unlock(self, uid: str) -> None:
        """Give up all mutexes, also those waited for."""
        for queue in self.locks.values():
            if uid in queue:
                queue.remove(uid)
