"""Reading a request: which verb on which object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kube.resources import RESOURCES, Resource
from kube.status import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
SUBRESOURCES = ("status", "log", "scale", "finalize")


@dataclass(frozen=True)
class Address:
    """What a path names."""

    resource: Resource
    namespace: str | None = None
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    verb: str
    resource: str
    """With the subresource, such as `pods/log`."""
    namespace: str | None
    name: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = ""


def address(path: str, installed: Mapping[str, Resource]) -> Address:
    """Return what a path names; raises ApiError if nothing of the kind is served."""
    parts = [part for part in path.split("/") if part]
    version, parts = ("/".join(parts[1:3]), parts[3:]) if parts[:1] == ["apis"] else ("/".join(parts[1:2]), parts[2:])
    namespace = None
    if parts[:1] == ["namespaces"] and len(parts) > 2 and parts[2] not in SUBRESOURCES:
        namespace, parts = parts[1], parts[2:]
    plural, name, subresource, *rest = [*parts, "", "", ""][: max(3, len(parts))]
    resource = installed.get(plural)
    if rest or resource is None or resource.api_version != version:
        raise ApiError(404, "404 page not found")
    return Address(resource, namespace, name, subresource)


def verb(method: str, found: Address, query: Mapping[str, str]) -> str:
    """Return what a request wants to do, in the words of permissions."""
    if method != "GET":
        return VERBS[method] if method != "DELETE" or found.name else "deletecollection"
    if query.get("watch") in ("true", "1", "True"):
        return "watch"
    return "get" if found.name else "list"


def discovery(path: str, installed: Mapping[str, Resource]) -> dict[str, Any] | None:
    """Return the answer to a question about the server itself, or None if the path is none."""
    parts = [part for part in path.split("/") if part]
    if parts == ["version"]:
        return {"major": "1", "minor": "34", "gitVersion": "v1.34.1", "platform": "linux/amd64"}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(installed)}
    if parts[:1] == ["apis"] and len(parts) == 2:
        return next((group for group in _groups(installed) if group["name"] == parts[1]), None)
    version = "/".join(parts[1:])
    served = [item for item in installed.values() if item.api_version == version and parts[:1] == _root(item)]
    if not served:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [_row(x) for x in served]}


def _root(resource: Resource) -> list[str]:
    return ["apis"] if resource.group else ["api"]


def _groups(installed: Mapping[str, Resource]) -> list[dict[str, Any]]:
    found = {}
    for item in installed.values():
        if item.group:
            version = {"groupVersion": item.api_version, "version": item.version}
            found[item.group] = {"name": item.group, "versions": [version], "preferredVersion": version}
    return list(found.values())


def _row(resource: Resource) -> dict[str, Any]:
    verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    return {"name": resource.plural, "kind": resource.kind, "namespaced": resource.namespaced, "verbs": verbs}


def definitions() -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of the custom objects."""
    return [
        {
            "metadata": {"name": item.qualified},
            "spec": {
                "group": item.group, "scope": "Namespaced" if item.namespaced else "Cluster",
                "names": {"plural": item.plural, "kind": item.kind},
                "versions": [{"name": item.version, "served": True, "storage": True}],
            },
            "status": {"conditions": [{"type": "Established", "status": "True"}]},
        }
        for item in RESOURCES.values() if item.is_custom
    ]  # fmt: skip
