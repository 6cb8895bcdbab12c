"""The objects of the stand-in, their versions, and everything that has happened to them."""

from __future__ import annotations

import random
import re
import threading
import uuid
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kube.removal import removed
from kube.resources import RESOURCES
from kube.status import already_exists, conflict, invalid, not_found, too_old

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube.resources import Resource
    from kube.selectors import Object

_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_KEPT = ("uid", "creationTimestamp", "namespace", "name", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


@dataclass(frozen=True)
class Change:
    """What happened to an object: `old` is None when it was made, `new` when it went."""

    version: int
    plural: str
    old: Object | None
    new: Object | None


class Store:
    """Objects by resource, namespace and name. Every method may be called from any thread; what goes out is a copy."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.objects: dict[tuple[str, str, str], Object] = {}
        self.history: list[Change] = []
        self.version = 1
        self.oldest = 0
        self.listeners: set[Callable[[], None]] = set()
        self.admission: list[Callable[[str, Resource, Object], None]] = []

    def find(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """Return an object, or None."""
        with self.changed:
            return deepcopy(self.objects.get((resource.plural, namespace or "", name)))

    def get(self, resource: Resource, namespace: str | None, name: str) -> Object:
        """Return an object; raises ApiError if there is none."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def list(self, resource: Resource, namespace: str | None) -> tuple[list[Object], int]:
        """Return the objects of one namespace or of all, sorted, and the version of the store."""
        with self.changed:
            found = [
                deepcopy(item)
                for (plural, place, _), item in sorted(self.objects.items())
                if plural == resource.plural and namespace in (None, place)
            ]
            return found, self.version

    def since(self, resource: Resource, version: int) -> list[Change]:
        """Return what has happened after a version; raises ApiError if that is forgotten."""
        with self.changed:
            if version < self.oldest:
                raise too_old(version, self.oldest)
            return [item for item in self.history if item.version > version and item.plural == resource.plural]

    def forget_history(self) -> None:
        """Compact: no watch and no continued list goes on from before now."""
        with self.changed:
            self.history.clear()
            self.oldest = self.version

    def create(
        self, resource: Resource, namespace: str | None, given: Object, *, dry_run: bool = False, trusted: bool = False
    ) -> Object:
        """Add an object; one who is trusted may set its status and its age.

        Raises ApiError if the name is taken or missing, or the namespace is.
        """
        with self.changed:
            made = deepcopy(given)
            metadata = made.setdefault("metadata", {})
            name = metadata["name"] = metadata.get("name") or self._generated(metadata)
            self._check_place(resource, namespace, name)
            made |= {"apiVersion": resource.api_version, "kind": resource.kind}
            now = {"creationTimestamp": _now()} | (metadata if trusted else {})
            metadata |= {"uid": str(uuid.uuid4()), "generation": 1, "creationTimestamp": now["creationTimestamp"]}
            metadata |= {"namespace": namespace} if namespace else {}
            if resource.has_status and not trusted:
                made.pop("status", None)
            if resource.plural == "pods":
                made.setdefault("status", {}).setdefault("phase", "Pending")
            self._admit("create", resource, made)
            # The last thing that is looked at, as on a real server.
            if (resource.plural, namespace or "", name) in self.objects:
                raise already_exists(resource, name)
            return deepcopy(made) if dry_run else self.write(resource, None, made)

    def update(
        self, resource: Resource, namespace: str | None, name: str, change: Callable[[Object], Object], *,
        subresource: str = "", dry_run: bool = False, trusted: bool = False,
    ) -> Object:  # fmt: skip
        """Replace an object by what `change` makes of it.

        Raises ApiError if that carries a version that is not the newest.
        """
        with self.changed:
            old = self.get(resource, namespace, name)
            new = change(deepcopy(old))
            if (told := new["metadata"].get("resourceVersion")) not in (None, "", old["metadata"]["resourceVersion"]):
                raise conflict(resource, name) if told else not_found(resource, name)
            new["metadata"] |= {key: old["metadata"][key] for key in _KEPT if key in old["metadata"]}
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            if resource.has_status and not trusted:
                new = {**old, "status": new.get("status")} if subresource == "status" else _with_status_of(old, new)
            if new.get("spec") != old.get("spec"):
                new["metadata"]["generation"] = old["metadata"]["generation"] + 1
            self._admit("update", resource, new)
            if dry_run or new == old:
                return deepcopy(new)
            is_dying = "deletionTimestamp" in old["metadata"] and not old["metadata"].get("deletionGracePeriodSeconds")
            if is_dying and _is_free(new):
                removed(self, resource, new)
                return new
            return self.write(resource, old, new)

    def drop(self, resource: Resource, old: Object) -> None:
        """Take an object away at once."""
        key = (resource.plural, old["metadata"].get("namespace", ""), old["metadata"]["name"])
        del self.objects[key]
        self.version += 1
        last = deepcopy(old)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._tell(Change(self.version, resource.plural, last, None))

    def write(self, resource: Resource, old: Object | None, new: Object) -> Object:
        """Keep an object as it is given, and tell everybody."""
        new = deepcopy(new)
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        self.objects[(resource.plural, new["metadata"].get("namespace", ""), new["metadata"]["name"])] = deepcopy(new)
        self._tell(Change(self.version, resource.plural, old, deepcopy(new)))
        return deepcopy(new)

    def _tell(self, change: Change) -> None:
        self.history.append(change)
        self.changed.notify_all()
        for listener in tuple(self.listeners):
            listener()

    def _admit(self, verb: str, resource: Resource, new: Object) -> None:
        for hook in self.admission:
            hook(verb, resource, new)

    def _check_place(self, resource: Resource, namespace: str | None, name: str) -> None:
        if not name:
            raise invalid(resource, "", "metadata.name: Required value: name or generateName is required")
        if not _NAME.fullmatch(name) or len(name) > 253:
            raise invalid(resource, name, f'metadata.name: Invalid value: "{name}": a lowercase RFC 1123 subdomain ...')
        if namespace and ("namespaces", "", namespace) not in self.objects:
            raise not_found(RESOURCES["namespaces"], namespace)

    def _generated(self, metadata: Object) -> str:
        start = metadata.get("generateName")
        return f"{start}{''.join(random.choices('bcdfghjklmnpqrstvwxz2456789', k=5))}" if start else ""  # noqa: S311


def _is_free(item: Object) -> bool:
    return not item["metadata"].get("finalizers")


def _with_status_of(old: Object, new: Object) -> Object:
    kept = {key: value for key, value in new.items() if key != "status"}
    return kept | ({"status": old["status"]} if "status" in old else {})


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
