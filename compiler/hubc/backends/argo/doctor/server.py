"""Whether the cluster answers, and takes our pods in the namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.case import GUIDE
from hubc.backends.argo.kinds import NAMESPACES
from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from hubc.backends.argo.doctor.case import Case

LEVEL = "pod-security.kubernetes.io/enforce"
LEVELS = ("restricted", "baseline", "privileged")
NOT_TOLD = (403, 404)


def check_server(case: Case) -> Iterator[Finding]:
    """Say which cluster this is; raises UnreachableError if it cannot be reached or does not accept the login."""
    server = case.cluster.place.server
    try:
        version = f", Kubernetes {printable(str(case.cluster.about('/version').get('gitVersion', '')))}"
    except RefusedError as error:
        if error.code not in NOT_TOLD:
            raise
        version = ", which does not tell its version"
    yield Finding("API server", "good", f"{server}{version}")


def check_namespace(case: Case) -> Generator[Finding, None, bool]:
    """Say how the namespace is; returns whether it makes sense to look into it."""
    name = case.argo.namespace
    subject = f"namespace '{name}'"
    found = case.get(subject, NAMESPACES, name, f"make it with: kubectl apply -k argo/install/FLAVOUR, {GUIDE}")
    if isinstance(found, Finding):
        yield found
        return found.state != "bad"
    if found["metadata"].get("deletionTimestamp"):
        yield Finding(subject, "bad", "is being deleted", "wait until it is gone, then make it anew")
        return False
    level = found["metadata"].get("labels", {}).get(LEVEL)
    yield _security(subject, level, case)
    return True


def _security(subject: str, level: str | None, case: Case) -> Finding:
    """Say what the namespace's Pod Security means; pods of runs meet the strictest level."""
    if level == "restricted":
        return Finding(subject, "good", "its pods are held to the restricted standard")
    tighten = case.kubectl(f"label namespace {case.argo.namespace} {LEVEL}=restricted --overwrite", is_namespaced=False)
    if level is None or level in LEVELS:
        held = f"its pods are held to the {level} standard" if level else "its pods are held to no standard"
        return Finding(subject, "good", f"{held}; restricted would do: {tighten}")
    return Finding(subject, "bad", f"its label {LEVEL} is '{printable(level)}', which is no level", f"set it: {tighten}")
