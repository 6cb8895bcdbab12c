"""The kinds of object on a cluster that a run is made of, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hubc.backends.argo.launchers import objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hubc.spec.cluster import Argo

Object = dict[str, Any]
RUN_LABEL = "workflows.argoproj.io/workflow"
"""Label with the Workflow's name, which Argo gives its pods, and hubc the training objects and theirs."""


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    plural: str
    group: str = ""
    version: str = "v1"
    is_namespaced: bool = True

    @property
    def qualified(self) -> str:
        """Its name in messages and for `kubectl`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return its address on the API server; a name is quoted, for it may be anything that a user typed."""
        start = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = ("namespaces", namespace) if self.is_namespaced else ()
        parts = (start, *place, self.plural, quote(name, safe=""), subresource)
        return "/".join(part for part in parts if part)


NAMESPACES = Kind("namespaces", is_namespaced=False)
PODS = Kind("pods")
EVENTS = Kind("events")
WORKFLOWS = Kind("workflows", "argoproj.io", "v1alpha1")
WORKFLOW_TEMPLATES = Kind("workflowtemplates", "argoproj.io", "v1alpha1")
CRON_WORKFLOWS = Kind("cronworkflows", "argoproj.io", "v1alpha1")
RENDERED = {"Workflow": WORKFLOWS, "WorkflowTemplate": WORKFLOW_TEMPLATES, "CronWorkflow": CRON_WORKFLOWS}
"""What a manifest holds."""


def launched(argo: Argo) -> tuple[Kind, ...]:
    """Return what a platform's launcher makes of a training on several nodes."""
    found = []
    for api_version, _, plural in objects(argo):
        group, _, version = api_version.rpartition("/")
        found.append(Kind(plural, group, version))
    return tuple(found)


@dataclass(frozen=True)
class Asked:
    """One request."""

    verb: str
    """As permissions call it."""
    kind: Kind
    path: str
    name: str = ""
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Object | None = None
