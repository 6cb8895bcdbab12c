"""Questions about rights, which are asked by creating an object that is kept nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kube.requests import Seen
from kube.resources import RESOURCES, Resource
from kube.status import ApiError, forbidden

if TYPE_CHECKING:
    from kube.server import KubeApi

Object = dict[str, Any]
GROUP = "authorization.k8s.io"
KINDS = {
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
    "selfsubjectrulesreviews": "SelfSubjectRulesReview",
    "localsubjectaccessreviews": "LocalSubjectAccessReview",
}
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
SUBRESOURCES = {"pods/log": "", "workflows/finalizers": "argoproj.io"}


def is_review(path: str) -> bool:
    """Tell whether a path is that of such a question."""
    return path.startswith(f"/apis/{GROUP}/v1/") and path.rpartition("/")[2] in KINDS


def review(api: KubeApi, path: str, body: Object) -> Object:
    """Return the answer; raises ApiError if it may not be asked."""
    plural = path.rpartition("/")[2]
    namespace = path.split("/")[5] if "/namespaces/" in path else None
    api.note(Seen("create", plural, namespace, "", {}, body))
    if "kind" in body and (body.get("apiVersion"), body["kind"]) != (f"{GROUP}/v1", KINDS[plural]):
        raise ApiError(400, f"the object provided is unrecognized: {body.get('apiVersion')}, Kind={body.get('kind')}")
    if ("create", plural) in api.denied:
        raise forbidden("create", Resource(plural, KINDS[plural], GROUP), namespace, "")
    if plural == "selfsubjectrulesreviews":
        return {**body, "status": _rules(api)}
    user = body["spec"].get("user")
    denied = api.denied if user is None else api.denied_to.get(user, set())
    asked = body["spec"].get("resourceAttributes", {})
    what = "/".join(filter(None, (asked.get("resource", ""), asked.get("subresource", ""))))
    allowed = (asked.get("verb"), what) not in denied
    return {**body, "status": {"allowed": allowed} | ({} if allowed else {"reason": "no RBAC policy matched"})}


def _rules(api: KubeApi) -> Object:
    """Return the rules of whoever asks; `is_opaque` leaves rules out, as clusters do whose rights are not all in rules."""
    kinds = {item.plural: item.group for item in RESOURCES.values()} | SUBRESOURCES
    rules = [
        {"apiGroups": [group], "resources": [name], "verbs": [verb for verb in VERBS if (verb, name) not in api.denied]}
        for name, group in kinds.items()
    ]
    return {"resourceRules": [] if api.is_opaque else rules, "nonResourceRules": [], "incomplete": api.is_opaque}
