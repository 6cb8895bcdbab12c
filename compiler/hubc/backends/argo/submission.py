"""Starting a plan on a cluster: asked for first, and then done, so that a refusal leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from hubc.backends.argo.kinds import CRON_WORKFLOWS, RENDERED, WORKFLOW_TEMPLATES, WORKFLOWS
from hubc.backends.argo.metadata import MANIFEST_DIGEST, PLAN_DIGEST
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


def differs(existing: Object, wanted: Object) -> bool:
    """Tell whether an object asks for something else than it should."""
    noted = {item["metadata"].get("annotations", {}).get(MANIFEST_DIGEST) for item in (existing, wanted)}
    return len(noted) > 1


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
            if found is not None and kind == WORKFLOW_TEMPLATES and differs(found, item) and not dry_run:
                # The platform has changed. Runs that are under way have a copy of what they began with.
                version = {"resourceVersion": found["metadata"]["resourceVersion"]}
                cluster.replace(kind, {**item, "metadata": {**item["metadata"], **version}})
            return False
        if error.code in _OF_THE_PLAN:
            raise HubcError(f"nothing was started: {error}") from None
        raise
    return True


def kept(cluster: Cluster, objects: Sequence[Object], why: BaseException) -> HubcError:
    """Keep in a file what could not be started again under the name of a run that is gone, and return what to tell.

    A failure that leaves the former run where it was is returned as it is.
    """
    name, flags = objects[-1]["metadata"]["name"], cluster.place.flags
    reason = str(why) or "interrupted"
    try:
        if cluster.find(WORKFLOWS, name) is not None:
            return HubcError(f"run '{name}' was not started again: {reason}")
    except HubcError:
        pass  # Then it may be gone, and it is better to keep it in vain.
    path = Path(f"{name}.yaml").absolute()
    try:
        path.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    except OSError as error:
        return HubcError(f"run '{name}' may be gone, and was not started again: {reason}; it could not be kept in {path}, "
                         f"either ({error.strerror}): submit its spec again")  # fmt: skip
    return HubcError(f"run '{name}' may be gone, and was not started again: {reason}; it is kept in {path}: submit its spec "
                     f"again, or the file itself with: kubectl create -f {path} {flags}")  # fmt: skip


def remove_template(cluster: Cluster, owner: Object) -> None:
    """Delete the WorkflowTemplate that was made for a run or a schedule, unless another one refers to it."""
    name = _template_name(owner)
    template = cluster.find(WORKFLOW_TEMPLATES, name) if name else None
    digest = owner["metadata"].get("annotations", {}).get(PLAN_DIGEST)
    if template is None or template["metadata"].get("annotations", {}).get(PLAN_DIGEST) != digest or not digest:
        return
    users = [*cluster.find_all(WORKFLOWS, labels=HUBC), *cluster.find_all(CRON_WORKFLOWS, labels=HUBC)]
    if not any(_template_name(item) == name for item in users if not item["metadata"].get("deletionTimestamp")):
        cluster.delete(WORKFLOW_TEMPLATES, name)


def _template_name(owner: Object) -> str:
    spec = owner["spec"].get("workflowSpec", owner["spec"])
    return str(spec.get("workflowTemplateRef", {}).get("name", ""))
