"""Environment variables of a pod's containers, in Kubernetes' own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.contract import DEVICE, RUN
from hubc.backends.argo.tags import Tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub_steps.parameters import SecretReference
    from hubc.plan import Step
    from hubc.spec.cluster import Argo

TERMINATION_LOG = "/dev/termination-log"


def variable(name: str, value: str | int | Tag) -> dict[str, Any]:
    """Return a variable."""
    return {"name": name, "value": value if isinstance(value, Tag) else str(value)}


def from_secret(name: str, secret: str, key: str) -> dict[str, Any]:
    """Return a variable whose value is in a Kubernetes secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def common(argo: Argo, certificates: str) -> list[dict[str, Any]]:
    """Return what every container of hubc's own is told; `certificates` is the folder with the platform's authorities."""
    return [
        # An arbitrary user id has no home and no name, and libraries ask for both.
        variable("HOME", "/tmp"),  # noqa: S108
        variable("USER", "hubc"),
        variable("HF_HOME", "/tmp/huggingface"),  # noqa: S108
        variable(RUN, Tag.RUN),
        variable("HUBC_TERMINATION_LOG", TERMINATION_LOG),
        *_outside(argo, certificates),
    ]


def _outside(argo: Argo, certificates: str) -> list[dict[str, Any]]:
    """Return how the outside is reached: proxies, mirrors and whose certificates count."""
    found = {
        "http_proxy": argo.proxies.http,
        "https_proxy": argo.proxies.https,
        "no_proxy": ",".join(argo.proxies.no_proxy),
        "PIP_INDEX_URL": argo.mirrors.package_index,
        "HF_ENDPOINT": argo.mirrors.model_hub,
    }
    if authorities := argo.certificate_authorities:
        bundle = f"{certificates}/{authorities.key}"
        names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE")
        found |= dict.fromkeys(names, bundle)
    # Programs disagree on the case of the proxies' names.
    found |= {name.upper(): value for name, value in found.items() if name.endswith("_proxy")}
    return [variable(name, value) for name, value in found.items() if value]


def of_step(step: Step, argo: Argo) -> list[dict[str, Any]]:
    """Return what only this kind of step is told: how it computes, and its secrets."""
    # Libraries would otherwise take all cores of the node for theirs.
    threads = variable("OMP_NUM_THREADS", max(1, step.resources.cpus // step.resources.processes_per_node))
    device = [] if step.resources.devices else [variable(DEVICE, "cpu")]
    return [*device, threads, *secrets(step.secrets, argo)]


def secrets(references: Iterable[SecretReference], argo: Argo) -> list[dict[str, Any]]:
    """Return the variables that carry secrets, from the Kubernetes secrets that the platform has for them."""
    found = []
    for reference in dict.fromkeys(references):
        mapped = argo.secrets.get(reference.secret)
        name = mapped.name if mapped else reference.secret
        key = mapped.keys.get(reference.key, reference.key) if mapped else reference.key
        found.append(from_secret(reference.variable, name, key))
    return found


def network(argo: Argo) -> list[dict[str, Any]]:
    """Return how the processes of a training reach each other."""
    interface = argo.network.interface
    chosen = {"NCCL_SOCKET_IFNAME": interface, "GLOO_SOCKET_IFNAME": interface} if interface else {}
    return [variable(name, value) for name, value in (chosen | argo.network.variables).items()]


def topology(nodes: int, processes: int, rank: dict[str, Any], master: str, port: int) -> list[dict[str, Any]]:
    """Return what torchrun is told about its peers; `rank` is the value of the node rank's variable.

    Source: https://docs.pytorch.org/docs/stable/elastic/run.html
    """
    return [
        variable("PET_NNODES", nodes),
        variable("PET_NPROC_PER_NODE", processes),
        {"name": "PET_NODE_RANK", **rank},
        variable("PET_MASTER_ADDR", master),
        variable("PET_MASTER_PORT", port),
    ]
