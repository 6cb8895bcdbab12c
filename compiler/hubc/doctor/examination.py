"""Looking at everything that a run on a platform needs, in an order that stays the same."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hubc.doctor.machine import check_machine
from hubc.doctor.probing import probe_request, probed_here
from hubc.doctor.requests import out_of_reach

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from hubc.backends.argo.patience import Patience
    from hubc.doctor.finding import Finding
    from hubc.plan import Plan
    from hubc.spec.cluster import Argo
    from hubc.spec.platform import Platform

STORAGE, ENDPOINTS, TARGETS = "storage", "endpoints", "targets"


def examine(
    platform: Platform, plan: Plan | None, *, probe: bool, kubeconfig: Path | None = None, patience: Patience | None = None
) -> Generator[Finding, None, None]:
    """Yield what there is to say of each thing, as it is found; `probe` also runs a short pod on the cluster.

    Raises UnreachableError if a cluster cannot be reached, and HubcError if what reaches it is not installed.
    """
    if platform.spec.argo is None:
        yield from check_machine(platform, plan)
        yield from probed_here(probe_request(plan, None, []), os.environ)
    else:
        yield from _cluster(platform, platform.spec.argo, plan, probe, kubeconfig, patience)


def _cluster(
    platform: Platform, argo: Argo, plan: Plan | None, probe: bool, kubeconfig: Path | None, patience: Patience | None
) -> Iterator[Finding]:
    # Here, because a machine without a cluster needs none of it.
    from hubc.backends.argo.cluster import Cluster
    from hubc.backends.argo.doctor import Case, check_cluster, docker_config, probe_on_cluster
    from hubc.backends.argo.layout import layout
    from hubc.backends.argo.patience import Patience
    from hubc.doctor.images import check_images

    case = Case(Cluster(argo, patience or Patience(), kubeconfig), platform, argo, plan)
    is_there = yield from check_cluster(case)
    if not is_there:
        return
    document = probe_request(plan, platform, [layout(argo).outputs])
    if probe:
        yield from probe_on_cluster(case, document)
    else:
        yield from check_images(argo, docker_config(case))
        yield from from_here(document, argo)


def from_here(document: dict[str, Any], argo: Argo) -> Iterator[Finding]:
    """Yield what this machine can say of services that a cluster's steps will use."""
    told = {"AWS_ENDPOINT_URL_S3": argo.storage.endpoint, "AWS_REGION": argo.storage.region}
    environment = {**os.environ, **{name: value for name, value in told.items() if value}}
    kept: dict[str, list[Any]] = {STORAGE: [], ENDPOINTS: [], TARGETS: []}
    for name, parts in kept.items():
        for part in document[name]:
            if found := out_of_reach(part, argo, environment):
                yield found
            else:
                parts.append(part)
    yield from map(_elsewhere, _probed(document, environment, {**kept, TARGETS: []}))
    yield from _probed(document, environment, {**kept, STORAGE: [], ENDPOINTS: []})


def _probed(document: dict[str, Any], environment: Mapping[str, str], kept: dict[str, list[Any]]) -> Iterator[Finding]:
    if any(kept.values()):
        yield from probed_here({**document, **kept}, environment)


def _elsewhere(finding: Finding) -> Finding:
    """Return what a finding means for the cluster: what does not work from here may well work from there."""
    if finding.state != "bad":
        return finding
    remedy = "; ".join(filter(None, (finding.remedy, "--probe asks from the cluster")))
    return replace(finding, state="unknown", text=f"from here: {finding.text}", remedy=remedy)
