"""The logs of containers, each line with the time when it was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kube.status import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

Object = dict[str, Any]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """One line."""

    at: datetime
    text: str
    nanoseconds: int = 0

    def shown(self, *, timestamps: bool) -> bytes:
        """Return the line as it goes over the wire."""
        stamp = f"{self.at:%Y-%m-%dT%H:%M:%S}.{self.at.microsecond * 1000 + self.nanoseconds:09d}Z "
        return f"{stamp if timestamps else ''}{self.text}\n".encode()


class Logs:
    """Lines by the pod's uid and container; a restart begins a new log."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], list[Line]] = {}
        self.previous: dict[tuple[str, str], list[Line]] = {}
        self.clock = EPOCH

    def append(self, key: tuple[str, str], text: str, at: datetime | None) -> None:
        """Add lines, each a tenth of a second after the one before it unless told otherwise."""
        for line in text.splitlines():
            self.clock += timedelta(milliseconds=100)
            self.lines.setdefault(key, []).append(Line(at or self.clock, line))

    def restart(self, key: tuple[str, str]) -> None:
        """Begin a new log."""
        self.previous[key] = self.lines.pop(key, [])


def chosen_container(pod: Object, query: Mapping[str, str]) -> str:
    """Return the container whose log is asked for.

    Raises ApiError if it is not there, not said although there are several, or has not started.
    """
    name, spec = pod["metadata"]["name"], pod.get("spec", {})
    containers = [item["name"] for item in spec.get("containers", [])]
    every = containers + [item["name"] for item in spec.get("initContainers", [])]
    wanted = query.get("container")
    if wanted is None and len(containers) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]")
    wanted = wanted or containers[0]
    if wanted not in every:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    if waiting := _waiting(pod, wanted):
        raise bad_request(f'container "{wanted}" in pod "{name}" is waiting to start: {waiting}')
    return wanted


def _waiting(pod: Object, container: str) -> str:
    status = pod.get("status", {})
    for item in status.get("containerStatuses", []) + status.get("initContainerStatuses", []):
        if item["name"] == container:
            started = item.get("restartCount", 0) or "waiting" not in item.get("state", {})
            return "" if started else str(item["state"]["waiting"].get("reason", "ContainerCreating"))
    return "ContainerCreating" if status.get("phase", "Pending") == "Pending" else ""


def first_line(lines: list[Line], query: Mapping[str, str]) -> int:
    """Return the index of the first line that is asked for; a time counts in whole seconds, as on a real cluster."""
    start = 0
    if since := query.get("sinceTime"):
        at = datetime.fromisoformat(since).replace(microsecond=0)
        start = next((index for index, line in enumerate(lines) if line.at >= at), len(lines))
    if tail := query.get("tailLines"):
        start = max(start, len(lines) - int(tail))
    return start


def has_ended(pod: Object | None, container: str) -> bool:
    """Tell whether a container will write nothing more."""
    if pod is None or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return True
    statuses = pod["status"].get("containerStatuses", []) if "status" in pod else []
    return any(item["name"] == container and "terminated" in item.get("state", {}) for item in statuses)
