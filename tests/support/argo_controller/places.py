"""Where the paths, ports and hosts that a pod knows really are on this machine."""

from __future__ import annotations

import re
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Object = dict[str, Any]
HOSTS, PORTS = "stand-in/hosts", "stand-in/ports"
"""Annotations of pods whose peers are elsewhere: hosts that are this machine, and `port=port` of the whole job."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Places:
    """Replaces, in one pass over a text, paths by paths on this machine, ports by free ones, and hosts by 127.0.0.1.

    A path is replaced where it stands alone or follows `file://`, never inside another one, nor if it starts with `kept`.
    """

    def __init__(self, paths: Mapping[str, Path], ports: Mapping[str, int], hosts: list[str], kept: str) -> None:
        self._paths, self._ports, self._hosts = paths, ports, hosts
        starts = "|".join(re.escape(path) for path in sorted(paths, key=len, reverse=True))
        path = rf"(?:(?<=file://)|(?<![\w./}}-]))(?!{re.escape(kept)})(?P<path>{starts})(?![\w.-])"
        port = rf"(?<![\w.-])(?<!%)(?P<port>{'|'.join(ports) or '(?!)'})(?![\w.])"
        host = rf"(?<![\w.-])(?P<host>{'|'.join(map(re.escape, hosts)) or '(?!)'})(?![\w-])"
        self._pattern = re.compile(f"{path}|{host}|{port}")

    def text(self, text: str) -> str:
        """Return a text as it is right on this machine."""
        return self._pattern.sub(self._replaced, text)

    def _replaced(self, found: re.Match[str]) -> str:
        if found["path"]:
            return str(self._paths[found["path"]])
        return "127.0.0.1" if found["host"] else str(self._ports[found["port"]])

    def file(self, path: str) -> str:
        """Return where a file is; raises LookupError if no folder of the pod holds it."""
        if (found := self.text(path)) == path and not any(path.startswith(str(place)) for place in self._paths.values()):
            raise LookupError(f"no volume and no mapped path holds {path}")
        return found


class PodPlaces:
    """The places of a pod's containers below one folder: those on volumes are common, others are each one's own."""

    def __init__(self, pod: Object, folder: Path, shared: Mapping[str, Path], claims: Path, kept: str) -> None:
        self.folder, self._shared, self._kept = folder, shared, kept
        spec, notes = pod["spec"], pod["metadata"].get("annotations", {})
        self._volumes = {volume["name"]: _place(volume, folder, claims) for volume in spec.get("volumes", [])}
        every = [*spec.get("initContainers", []), *spec["containers"]]
        self._ports = {number: free_port() for item in every for number in _ports(item)}
        self._ports |= {key: int(value) for key, value in _pairs(notes.get(PORTS, ""))}
        self._hosts = [host for host in notes.get(HOSTS, "").split(",") if host]

    def of(self, container: Object) -> Places:
        """Return the places of one container."""
        own = self.folder / container["name"]
        paths = {path: own / path[1:] for path in ("/tmp", "/hubc", "/dev/termination-log")}
        for mount in container.get("volumeMounts", []):
            paths[mount["mountPath"]] = self._volumes[mount["name"]] / mount.get("subPath", "")
        paths |= self._shared
        for path, place in paths.items():
            (place.parent if path == "/dev/termination-log" else place).mkdir(parents=True, exist_ok=True)
        return Places(paths, self._ports, self._hosts, self._kept)

    def volume(self, name: str) -> Path:
        """Return the folder of a volume."""
        return self._volumes[name]


def _place(volume: Object, folder: Path, claims: Path) -> Path:
    claim = volume.get("persistentVolumeClaim")
    return claims / str(claim["claimName"]) if claim else folder / "volumes" / str(volume["name"])


def _ports(container: Object) -> set[str]:
    """Return the ports that a container listens on: those it declares, and those that its program is told."""
    words = [*container.get("command", []), *container.get("args", [])]
    told = {number for word, number in pairwise(words) if word == "--port"}
    return told | {str(port["containerPort"]) for port in container.get("ports", [])}


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(key, value) for part in text.split(",") if part for key, _, value in [part.partition("=")]]
