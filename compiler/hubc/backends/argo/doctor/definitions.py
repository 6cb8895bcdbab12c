"""Whether the cluster serves the kinds of object that renderings are made of, at their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.case import GUIDE
from hubc.backends.argo.kinds import CRON_WORKFLOWS, WORKFLOW_TEMPLATES, WORKFLOWS, Kind, launched
from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from hubc.backends.argo.doctor.case import Case

TASK_RESULTS = Kind("workflowtaskresults", "argoproj.io", "v1alpha1")
JOB_SETS = Kind("jobsets", "jobset.x-k8s.io", "v1alpha2")
FORBIDDEN, ABSENT = 403, 404


def check_definitions(case: Case) -> Iterator[Finding]:
    """Say whether Argo's kinds are there, and the launcher's if a step may run on several nodes."""
    yield served(case, "Argo Workflows", (WORKFLOWS, WORKFLOW_TEMPLATES, CRON_WORKFLOWS, TASK_RESULTS))
    if case.nodes > 1:
        launcher = case.argo.launcher.kind
        kinds = [kind for kind in launched(case.argo) if kind.group]
        yield served(case, f"launcher '{launcher}'", [*kinds, JOB_SETS] if launcher == "trainjob" else kinds)


def served(case: Case, subject: str, kinds: Sequence[Kind]) -> Finding:
    """Say whether the cluster serves kinds of object."""
    places = dict.fromkeys((kind.group, kind.version) for kind in kinds)
    for group, version in places:
        wanted = [kind.plural for kind in kinds if (kind.group, kind.version) == (group, version)]
        if fault := _fault(case, subject, group, version, wanted):
            return fault
    return Finding(subject, "good", "the cluster serves " + " and ".join(f"{group}/{version}" for group, version in places))


def _fault(case: Case, subject: str, group: str, version: str, wanted: list[str]) -> Finding | None:
    try:
        rows = case.cluster.about(f"/apis/{group}/{version}").get("resources") or []
    except RefusedError as error:
        if error.code == FORBIDDEN:
            look = case.kubectl(f"api-resources --api-group {group}", is_namespaced=False)
            return Finding(subject, "unknown", "you are not permitted to ask what is installed", f"look at: {look}")
        if error.code != ABSENT:
            raise
        return _other_versions(case, subject, group, version)
    names = {row.get("name") for row in rows}
    missing = [name for name in wanted if name not in names]
    if missing:
        text = f"{group}/{version} is served without {', '.join(missing)}"
        return Finding(subject, "bad", text, f"install its whole set of definitions again, {GUIDE}")
    return None


def _other_versions(case: Case, subject: str, group: str, version: str) -> Finding:
    try:
        versions = [item["version"] for item in case.cluster.group(Kind("", group))["versions"]]
    except RefusedError as error:
        if error.code != ABSENT:
            raise
        return Finding(subject, "bad", f"{group} is not installed", f"install it, {GUIDE}")
    text = f"{group} is served at {printable(', '.join(versions))}, and {version} is needed"
    return Finding(subject, "bad", text, f"install a release that serves {version}, {GUIDE}")
