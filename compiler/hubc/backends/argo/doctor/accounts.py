"""The service accounts of runs, and whether Argo's containers may do their part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.case import FORBIDDEN
from hubc.backends.argo.doctor.rights import executor_rights, told
from hubc.backends.argo.doctor.secrets import SECRETS, content
from hubc.backends.argo.kinds import Kind
from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.doctor.rights import Right
    from hubc.backends.argo.kinds import Object

ACCOUNTS = Kind("serviceaccounts")
ACCESS_REVIEW = Kind("localsubjectaccessreviews", "authorization.k8s.io")
TOKEN_NAME = "workflows.argoproj.io/service-account-token.name"  # noqa: S105 - an annotation
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - a type
MAKE = "apply argo/install/base, or name another account in the platform"


def check_accounts(case: Case) -> Iterator[Finding]:
    """Say whether the accounts are there, and the executor's rights and token."""
    for name in dict.fromkeys((case.argo.service_account, case.argo.executor_service_account)):
        subject = f"service account '{name}'"
        found = case.get(subject, ACCOUNTS, name, MAKE)
        yield found if isinstance(found, Finding) else Finding(subject, "good", "is there")
        if name == case.argo.executor_service_account and not (isinstance(found, Finding) and found.state == "bad"):
            yield _rights(case, name)
            yield _token(case, name, {} if isinstance(found, Finding) else found)


def _rights(case: Case, name: str) -> Finding:
    subject = f"rights of '{name}'"
    user = f"system:serviceaccount:{case.argo.namespace}:{name}"
    needed = executor_rights(case.argo, has_launcher=case.nodes > 1)
    try:
        missing = [right for right in needed if not _may(case, user, right)]
    except RefusedError as error:
        if error.code != FORBIDDEN:
            raise
        look = case.kubectl(f"auth can-i --list --as {user}")
        text = "you are not permitted to create localsubjectaccessreviews.authorization.k8s.io"
        return Finding(subject, "unknown", text, f"get the right, or somebody who has it to run: {look}")
    if missing:
        where = "argo/install/base" + (f" and components/launchers/{case.argo.launcher.kind}" if case.nodes > 1 else "")
        return Finding(subject, "bad", f"it may not {told(missing)}", f"apply the roles of {where}")
    return Finding(subject, "good", "all that Argo does in a run")


def _may(case: Case, user: str, right: Right) -> bool:
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{case.argo.namespace}", "system:authenticated"]
    attributes = right.attributes(case.argo.namespace)
    spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
    answer = case.cluster.review(ACCESS_REVIEW, "LocalSubjectAccessReview", spec)
    return bool(answer["status"].get("allowed"))


def _token(case: Case, name: str, account: Object) -> Finding:
    """Say whether Argo finds a token for its own containers: a secret that the account lists, or one of a set name."""
    subject = f"token of '{name}'"
    remedy = "apply argo/install/base, which has a secret for it"
    usual = account.get("metadata", {}).get("annotations", {}).get(TOKEN_NAME, f"{name}.service-account-token")
    listed = [item.get("name", "") for item in account.get("secrets") or []]
    for secret in filter(None, [*listed, usual]):
        found = case.get(subject, SECRETS, secret, remedy)
        if isinstance(found, Finding):
            if found.state == "unknown":
                return found
            continue
        if found.get("type") == TOKEN_TYPE and content(found, "token"):
            return Finding(subject, "good", f"is in secret '{secret}'")
    return Finding(subject, "bad", f"there is no secret '{usual}' of type {TOKEN_TYPE} that has one", remedy)
