"""Starting a plan on a cluster: asked for first, and then done, so that a refusal leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from hubc.backends.argo.kinds import CRON_WORKFLOWS, RENDERED, WORKFLOW_TEMPLATES, WORKFLOWS
from hubc.backends.argo.metadata import PLAN_DIGEST
from hubc.backends.argo.refusals import RefusedError
from hubc.errors import HubcError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.kinds import Object

HUBC = "app.kubernetes.io/managed-by=hubc"
"""Selects what hubc made."""
_EXISTS = "AlreadyExists"
_OF_THE_PLAN = frozenset({400, 403, 404, 413, 422})
"""Answers that say something about what was submitted, or about who submits."""


def manifests(text: str) -> list[Object]:
    """Return the objects of a rendering; the last is what runs."""
    # Every string is quoted in it, so that YAML's guesses do not matter; the C parser is ten times as fast.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return list(yaml.load_all(text, Loader=loader))


def check(cluster: Cluster, objects: Sequence[Object]) -> None:
    """Ask whether objects could be created; that one exists is no refusal, for it comes after all others.

    Raises HubcError if the cluster would refuse.
    """
    for item in objects:
        _create(cluster, item, dry_run=True)


def create(cluster: Cluster, objects: Sequence[Object]) -> bool:
    """Create the objects of a plan; False if the last was there already, such as from another call at the same time.

    Raises HubcError if the cluster refuses.
    """
    return all([_create(cluster, item) for item in objects][-1:])


def require_same_plan(existing: Object, digest: str, cluster: Cluster) -> None:
    """Raise HubcError if an object that has a plan's name is not of that plan."""
    metadata = existing["metadata"]
    if metadata.get("annotations", {}).get(PLAN_DIGEST) != digest:
        what = f"{existing.get('kind', 'an object')} '{metadata['name']}' in namespace '{cluster.namespace}'"
        raise HubcError(f"{what} is not of this plan, but has its name; delete it, or give the pipeline another name")


def _create(cluster: Cluster, item: Object, *, dry_run: bool = False) -> bool:
    """Create one object; False if it was there already."""
    kind = RENDERED[item["kind"]]
    try:
        cluster.create(kind, item, dry_run=dry_run)
    except RefusedError as error:
        if error.reason == _EXISTS:
            found = cluster.find(kind, item["metadata"]["name"])
            if found is not None and kind != CRON_WORKFLOWS:
                require_same_plan(found, item["metadata"]["annotations"][PLAN_DIGEST], cluster)
            return False
        if error.code in _OF_THE_PLAN:
            raise HubcError(f"nothing was started: {error}") from None
        raise
    return True


def remove_template(cluster: Cluster, workflow: Object) -> None:
    """Delete the WorkflowTemplate that was made for one run only."""
    name = workflow["spec"].get("workflowTemplateRef", {}).get("name")
    template = cluster.find(WORKFLOW_TEMPLATES, name) if name else None
    if template is None:
        return
    digest = workflow["metadata"].get("annotations", {}).get(PLAN_DIGEST)
    others = [
        item for item in cluster.find_all(WORKFLOWS, labels=HUBC)
        if item["metadata"]["name"] != workflow["metadata"]["name"]
        and item["spec"].get("workflowTemplateRef", {}).get("name") == name
    ]  # fmt: skip
    if digest and template["metadata"].get("annotations", {}).get(PLAN_DIGEST) == digest and not others:
        cluster.delete(WORKFLOW_TEMPLATES, name)
