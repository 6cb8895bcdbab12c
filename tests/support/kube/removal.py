"""Deletion as the API server, its garbage collector and the kubelet share it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from kube.resources import RESOURCES
from kube.status import conflict

if TYPE_CHECKING:
    from kube.resources import Resource
    from kube.selectors import Object
    from kube.store import Store

FOREGROUND = "foregroundDeletion"


def delete(store: Store, resource: Resource, namespace: str | None, name: str, options: dict[str, Any]) -> Object:
    """Delete an object and, unless they are to be orphans, what it owns; return its last state.

    What has finalizers stays until they are gone; a pod on a node, until the kubelet deletes it without a grace period.
    Raises ApiError if there is none, or a precondition is not met.
    """
    with store.changed:
        found = store.get(resource, namespace, name)
        wanted = options.get("preconditions") or {}
        if any(wanted.get(key) not in (None, found["metadata"][key]) for key in ("uid", "resourceVersion")):
            raise conflict(resource, name)
        if "All" in (options.get("dryRun") or ()):
            return found
        finalizers = list(found["metadata"].get("finalizers", []))
        match options.get("propagationPolicy") or _default_policy(resource):
            case "Orphan":
                _orphan(store, found)
            case "Foreground" if dependents(store, found):
                finalizers.append(FOREGROUND)
        seconds = _grace(resource, found, options)
        if not finalizers and not seconds:
            removed(store, resource, found)
            return found
        return _mark(store, resource, found, finalizers, seconds)


def removed(store: Store, resource: Resource, gone: Object) -> None:
    """Take an object away, then what it owned, then the owner that waited for it."""
    store.drop(resource, gone)
    _collect(store, gone)
    owners = {item["uid"] for item in gone["metadata"].get("ownerReferences", [])}
    for (plural, _, _), item in list(store.objects.items()):
        waits = FOREGROUND in item["metadata"].get("finalizers", []) and item["metadata"]["uid"] in owners
        if waits and not dependents(store, item):
            _without_finalizer(store, RESOURCES[plural], item)


def dependents(store: Store, owner: Object) -> list[tuple[Resource, Object]]:
    """Return what an object owns."""
    uid = owner["metadata"]["uid"]
    return [
        (RESOURCES[plural], item)
        for (plural, _, _), item in list(store.objects.items())
        if any(reference["uid"] == uid for reference in item["metadata"].get("ownerReferences", []))
    ]


def _default_policy(resource: Resource) -> str:
    """A Job leaves its pods behind unless it is told not to: so it has been since the first version."""
    return "Orphan" if resource.plural == "jobs" else "Background"


def _grace(resource: Resource, found: Object, options: dict[str, Any]) -> int:
    """Return for how many seconds a pod may go on: none if it never reached a node or has ended."""
    ended = found.get("status", {}).get("phase") in ("Succeeded", "Failed")
    if resource.plural != "pods" or not found.get("spec", {}).get("nodeName") or ended:
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(found["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


def _mark(store: Store, resource: Resource, found: Object, finalizers: list[str], seconds: int) -> Object:
    metadata = dict(found["metadata"])
    metadata.setdefault("deletionTimestamp", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    metadata |= {"finalizers": list(dict.fromkeys(finalizers))} if finalizers else {}
    metadata["deletionGracePeriodSeconds"] = seconds
    marked = store.write(resource, found, {**found, "metadata": metadata})
    if FOREGROUND in finalizers:
        _collect(store, found, foreground=True)
    return marked


def _collect(store: Store, owner: Object, *, foreground: bool = False) -> None:
    for resource, item in dependents(store, owner):
        others = [reference["uid"] for reference in item["metadata"]["ownerReferences"]]
        others.remove(owner["metadata"]["uid"])
        alive = {found["metadata"]["uid"] for found in store.objects.values()}
        if not alive.intersection(others) and "deletionTimestamp" not in item["metadata"]:
            policy = "Foreground" if foreground else "Background"
            delete(
                store, resource, item["metadata"].get("namespace"), item["metadata"]["name"], {"propagationPolicy": policy}
            )


def _orphan(store: Store, owner: Object) -> None:
    for resource, item in dependents(store, owner):
        kept = [found for found in item["metadata"]["ownerReferences"] if found["uid"] != owner["metadata"]["uid"]]
        store.write(resource, item, {**item, "metadata": {**item["metadata"], "ownerReferences": kept}})


def _without_finalizer(store: Store, resource: Resource, item: Object) -> None:
    left = [name for name in item["metadata"]["finalizers"] if name != FOREGROUND]
    new = {**item, "metadata": {**item["metadata"], "finalizers": left}}
    if left:
        store.write(resource, item, new)
    else:
        removed(store, resource, new)
