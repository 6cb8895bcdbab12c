"""Which version of Argo's controller runs, as far as somebody with rights in one namespace can see it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from hubc.backends.argo.controller import check_supported, hole
from hubc.backends.argo.doctor.case import FORBIDDEN
from hubc.backends.argo.kinds import PODS, RUN_LABEL, Kind
from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding
from hubc.errors import HubcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object

DEPLOYMENTS = Kind("deployments", "apps", is_namespaced=False)
_IMAGE = re.compile(r"(?:^|/)(?:argoexec|workflow-controller):v?(\d+\.\d+\.\d+)(?:$|[-+@])")
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)(?:$|[-+])")
UI_SECONDS = 5.0
MAX_ANSWER = 4096
SUBJECT = "Argo's controller"


def check_controller(case: Case) -> Iterator[Finding]:
    """Say whether the controller is what the platform says, new enough, and without known holes."""
    said, deployment = case.argo.controller_version, _deployment(case)
    if deployment and not deployment.get("status", {}).get("availableReplicas"):
        place = deployment["metadata"].get("namespace", "")
        look = case.kubectl(f"describe deployment {deployment['metadata']['name']} -n {place}", is_namespaced=False)
        yield Finding(SUBJECT, "bad", "is installed and does not run", f"find out why: {look}")
    seen = _version_of(deployment) or _of_past_runs(case) or _of_server(case)
    try:
        check_supported(seen or said)
    except HubcError as error:
        yield Finding(SUBJECT, "bad", *str(error).removeprefix("controller-version: ").rsplit("; ", 1))
        return
    if seen and seen != said:
        yield Finding(SUBJECT, "bad", f"it is {seen}, and the platform says {said}", f"set 'controller_version: {seen}'")
    if unsafe := hole(seen or said):
        yield Finding(SUBJECT, "bad", *unsafe.rsplit("; ", 1))
    elif seen == said:
        yield Finding(SUBJECT, "good", f"{seen}, as the platform says")
    if not seen:
        look = case.kubectl("get deployments --all-namespaces -o wide", is_namespaced=False)
        yield Finding(SUBJECT, "unknown", f"no sign of its version is to be seen; the platform says {said}",
                      f"have somebody who may look run: {look} | grep workflow-controller")  # fmt: skip


def _deployment(case: Case) -> Object | None:
    """Return the controller's deployment, for those who may look at all namespaces."""
    for query in ({"fields": "metadata.name=workflow-controller"},
                  {"labels": "app.kubernetes.io/component=workflow-controller"}):  # fmt: skip
        try:
            found = case.cluster.find_all(DEPLOYMENTS, **query)
        except RefusedError as error:
            if error.code != FORBIDDEN:
                raise
            return None
        if found:
            return found[0]
    return None


def _of_past_runs(case: Case) -> str:
    """Return the version of Argo's own container in the newest pod of a run: it is the controller's."""
    try:
        pods = case.cluster.find_all(PODS, labels=RUN_LABEL)
    except RefusedError as error:
        if error.code != FORBIDDEN:
            raise
        return ""
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    return next(filter(None, map(_version_of, newest)), "")


def _version_of(found: Object | None) -> str:
    """Return the version in the images of a deployment or pod."""
    if found is None:
        return ""
    spec = found.get("spec", {})
    spec = spec.get("template", {}).get("spec", spec)
    containers = [*spec.get("initContainers", []), *spec.get("containers", [])]
    matches = (_IMAGE.search(str(item.get("image", ""))) for item in containers)
    return next((match[1] for match in matches if match), "")


def _of_server(case: Case) -> str:
    """Return what Argo's server tells whoever asks; most want a login, which is not theirs to get from us."""
    if case.argo.ui_url is None:
        return ""
    address = f"{case.argo.ui_url.rstrip('/')}/api/v1/version"
    try:
        with urllib.request.urlopen(address, timeout=UI_SECONDS) as answer:  # noqa: S310 - the spec allows http(s) only
            told = json.loads(answer.read(MAX_ANSWER))
    except (OSError, ValueError, urllib.error.URLError):
        return ""
    match = _VERSION.match(str(told.get("version", ""))) if isinstance(told, dict) else None
    return match[1] if match else ""
