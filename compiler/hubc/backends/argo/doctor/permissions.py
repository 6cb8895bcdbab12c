"""What whoever asks may do: everything that the commands about runs take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.doctor.rights import Right, submitter_rights, told
from hubc.backends.argo.kinds import Kind
from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case

GROUP = "authorization.k8s.io"
RULES_REVIEW = Kind("selfsubjectrulesreviews", GROUP, is_namespaced=False)
ACCESS_REVIEW = Kind("selfsubjectaccessreviews", GROUP, is_namespaced=False)
SUBJECT = "your permissions"


def check_permissions(case: Case) -> Iterator[Finding]:
    """Say which rights are missing."""
    needed = submitter_rights(case.argo, has_launcher=case.nodes > 1)
    try:
        missing = _missing(case, needed)
    except RefusedError as error:
        if error.code != 403:
            raise
        ask = case.kubectl("auth can-i --list")
        yield Finding(SUBJECT, "unknown", "you are not permitted to ask what you may do", f"look at: {ask}")
        return
    if missing:
        bind = case.kubectl("create rolebinding NAME --role hubc-submitter --user YOU")
        yield Finding(SUBJECT, "bad", f"you may not {told(missing)}", f"have the role bound to you: {bind}")
    else:
        yield Finding(SUBJECT, "good", "all that submitting, looking at and ending runs takes")


def _missing(case: Case, needed: list[Right]) -> list[Right]:
    spec = {"namespace": case.argo.namespace}
    status = case.cluster.review(RULES_REVIEW, "SelfSubjectRulesReview", spec)["status"]
    rules = status.get("resourceRules") or []
    missing = [right for right in needed if not any(_grants(rule, right, case) for rule in rules)]
    # Clusters with authorizers of their own cannot list everything, but can say of each right whether it is there.
    return [right for right in missing if not (status.get("incomplete") and _may(case, right))]


def _grants(rule: dict[str, Any], right: Right, case: Case) -> bool:
    resource, _, subresource = right.resource.partition("/")
    same = {right.resource, "*"} | ({f"*/{subresource}"} if subresource else set())
    names = rule.get("resourceNames") or []
    is_for_all = not names or (resource == "namespaces" and case.argo.namespace in names)
    return (
        is_for_all
        and not {right.verb, "*"}.isdisjoint(rule.get("verbs") or [])
        and not {right.group, "*"}.isdisjoint(rule.get("apiGroups") or [])
        and not same.isdisjoint(rule.get("resources") or [])
    )


def _may(case: Case, right: Right) -> bool:
    spec = {"resourceAttributes": right.attributes(case.argo.namespace)}
    answer = case.cluster.review(ACCESS_REVIEW, "SelfSubjectAccessReview", spec)
    return bool(answer["status"].get("allowed"))
