"""The preflight of a cluster: what runs need there, looked at without changing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.accounts import check_accounts
from hubc.backends.argo.doctor.case import Case
from hubc.backends.argo.doctor.config_maps import check_config_maps
from hubc.backends.argo.doctor.controller_version import check_controller
from hubc.backends.argo.doctor.definitions import check_definitions
from hubc.backends.argo.doctor.dry_run import check_plan
from hubc.backends.argo.doctor.named import check_named
from hubc.backends.argo.doctor.nodes import check_nodes
from hubc.backends.argo.doctor.permissions import check_permissions
from hubc.backends.argo.doctor.probe import probe_on_cluster
from hubc.backends.argo.doctor.quotas import check_quotas
from hubc.backends.argo.doctor.secrets import check_secrets, docker_config
from hubc.backends.argo.doctor.server import check_namespace, check_server
from hubc.backends.argo.doctor.volumes import check_volumes

if TYPE_CHECKING:
    from collections.abc import Generator

    from hubc.doctor.finding import Finding

__all__ = ["Case", "check_cluster", "docker_config", "probe_on_cluster"]

CHECKS = (
    check_permissions,
    check_definitions,
    check_controller,
    check_named,
    check_accounts,
    check_secrets,
    check_config_maps,
    check_volumes,
    check_quotas,
    check_nodes,
    check_plan,
)


def check_cluster(case: Case) -> Generator[Finding, None, bool]:
    """Say how everything on the cluster is, in this order; returns whether the namespace is there at all.

    Raises UnreachableError if the cluster cannot be reached, or does not accept the login.
    """
    yield from check_server(case)
    if not (yield from check_namespace(case)):
        return False
    for check in CHECKS:
        yield from check(case)
    return True
