"""Rights in the words of Kubernetes: those of argo/install, where each is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hubc.backends.argo.kinds import launched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hubc.spec.cluster import Argo

ARGO = "argoproj.io"
_JOB_SETS = ("jobset.x-k8s.io", "jobsets")


@dataclass(frozen=True)
class Right:
    """The right to do one thing with one kind of object."""

    group: str
    resource: str
    """With the subresource, such as `pods/log`."""
    verb: str

    def attributes(self, namespace: str) -> dict[str, str]:
        """Return what a review of access is asked."""
        resource, _, subresource = self.resource.partition("/")
        return {"namespace": namespace, "verb": self.verb, "group": self.group, "resource": resource,
                "subresource": subresource}  # fmt: skip


def told(rights: Iterable[Right]) -> str:
    """Return rights in words, those of one kind together: `create, delete workflows.argoproj.io; list events`."""
    verbs: dict[str, list[str]] = {}
    for right in rights:
        resource, slash, subresource = right.resource.partition("/")
        name = f"{resource}.{right.group}" if right.group else resource
        verbs.setdefault(name + slash + subresource, []).append(right.verb)
    return "; ".join(f"{', '.join(some)} {name}" for name, some in verbs.items())


def submitter_rights(argo: Argo, *, has_launcher: bool) -> list[Right]:
    """Return what starting runs, looking at them and ending them takes: the roles called `hubc-submitter`."""
    found = _rights(ARGO, "workflows", "create delete get list patch watch")
    if argo.template_referencing != "unrestricted":
        found += _rights(ARGO, "workflowtemplates", "create delete get list patch update watch")
    found += _rights(ARGO, "cronworkflows", "create delete get list patch update watch")
    found += [*_rights("", "pods", "get list watch"), *_rights("", "pods/log", "get"), *_rights("", "events", "list")]
    found += _rights("", "namespaces", "get")
    if argo.queue:
        found += _rights("kueue.x-k8s.io", "workloads", "get list")
    if has_launcher:
        for kind in launched(argo):
            found += _rights(kind.group, kind.plural, "delete get list")
        if argo.launcher.kind == "trainjob":
            found += _rights(*_JOB_SETS, "get list")
    return found


def executor_rights(argo: Argo, *, has_launcher: bool) -> list[Right]:
    """Return what Argo's own containers do in a run: the roles called `hubc-executor`."""
    found = [*_rights(ARGO, "workflowtaskresults", "create patch"), *_rights(ARGO, "workflows/finalizers", "update")]
    if has_launcher:
        for kind in launched(argo):
            found += _rights(kind.group, kind.plural, "create delete get list patch watch")
        if argo.launcher.kind == "trainjob":
            found += _rights(*_JOB_SETS, "get")
    return found


def _rights(group: str, resource: str, verbs: str) -> list[Right]:
    return [Right(group, resource, verb) for verb in verbs.split()]
