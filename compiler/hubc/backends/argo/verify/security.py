"""Pods, as the *restricted* Pod Security Standard wants them, and whether what they mount and are told is in order.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.environment import environment_faults
from hubc.backends.argo.verify.finding import items
from hubc.backends.argo.verify.templates import repeated
from hubc.backends.argo.verify.training import pod_label_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.pods import Pod

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
HOST = ("hostNetwork", "hostPID", "hostIPC")
ADDED = {"NET_BIND_SERVICE"}
"""The one capability that a container may have."""
SECCOMP = "RuntimeDefault"


def pod_faults(pod: Pod) -> Iterator[Fault]:
    """Yield what is wrong with a pod."""
    yield from _pod_security(pod)
    yield from pod_label_faults(*pod.labels)
    if not pod.containers:
        yield (*pod.path, "containers"), "a pod has at least one container"
    yield from repeated(pod.path, [container.get("name") for _, container in pod.containers])
    names = [volume["name"] for _, volume in pod.volumes]
    yield from repeated((*pod.path, "volumes"), names)
    for path, volume in pod.volumes:
        kinds = {key for key, value in volume.items() if key != "name" and value is not None}
        if len(kinds) != 1 or not kinds <= VOLUMES:
            yield path, f"a volume has exactly one of {', '.join(sorted(VOLUMES))}, not {', '.join(sorted(kinds)) or 'none'}"
    for path, container in pod.containers:
        yield from _container_security(path, container, pod.security)
        yield from _mount_faults(path, container, {*names, *pod.claims})
        yield from environment_faults(path, container)


def base_faults(path: Path, security: dict[str, Any] | None) -> Iterator[Fault]:
    """Yield what the security context of a spec lacks that also holds for the containers that Argo adds to each pod."""
    place = (*path, "securityContext")
    if (security or {}).get("runAsNonRoot") is not True:
        yield (*place, "runAsNonRoot"), "it is needed: nothing else keeps Argo's own containers from running as root"
    if ((security or {}).get("seccompProfile") or {}).get("type") != SECCOMP:
        yield (*place, "seccompProfile"), f"'{SECCOMP}' is needed, for Argo's own containers, too"


def _pod_security(pod: Pod) -> Iterator[Fault]:
    for key in HOST:
        if pod.spec.get(key):
            yield (*pod.path, key), "a pod has no part in its host"
    place = (*pod.path, "securityContext")
    yield from _user_faults(place, pod.security)
    for key in ("sysctls", "windowsOptions"):
        if pod.security.get(key):
            yield (*place, key), "hubc sets none"
    if (pod.security.get("seLinuxOptions") or {}).keys() & {"user", "role"}:
        yield (*place, "seLinuxOptions"), "the user and role are SELinux's own"


def _container_security(path: Path, container: dict[str, Any], outer: dict[str, Any]) -> Iterator[Fault]:
    security, place = container.get("securityContext") or {}, (*path, "securityContext")
    for key, needed in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True)):
        if security.get(key) is not needed:
            yield (*place, key), f"'{str(needed).lower()}' is needed"
    if security.get("privileged"):
        yield (*place, "privileged"), "no container is privileged"
    capabilities = security.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or []):
        yield (*place, "capabilities", "drop"), "'ALL' is needed"
    if other := sorted(set(capabilities.get("add") or []) - ADDED):
        yield (*place, "capabilities", "add"), f"no container has {', '.join(other)}"
    merged = {**outer, **{key: value for key, value in security.items() if value is not None}}
    if merged.get("runAsNonRoot") is not True:
        yield (*place, "runAsNonRoot"), "'true' is needed, here or for the pod"
    if (merged.get("seccompProfile") or {}).get("type") != SECCOMP:
        yield (*place, "seccompProfile"), f"'{SECCOMP}' is needed, here or for the pod"
    if security.get("procMount") not in (None, "Default"):
        yield (*place, "procMount"), "'Default' is needed"
    yield from _user_faults(place, security)
    for inner, port in items(container, "ports"):
        if port.get("hostPort"):
            yield (*path, *inner, "hostPort"), "a pod has no part in its host"


def _user_faults(path: Path, security: dict[str, Any]) -> Iterator[Fault]:
    if security.get("runAsUser") == 0:
        yield (*path, "runAsUser"), "no process is root"
    if security.get("runAsNonRoot") is False:
        yield (*path, "runAsNonRoot"), "'true' is needed"


def _mount_faults(path: Path, container: dict[str, Any], volumes: set[str]) -> Iterator[Fault]:
    mounts = [mount for _, mount in items(container, "volumeMounts")]
    for number, mount in enumerate(mounts):
        if mount["name"] not in volumes:
            yield (*path, "volumeMounts", number, "name"), f"the pod has no volume '{mount['name']}'"
        if not mount["mountPath"].startswith("/") or ":" in mount["mountPath"]:
            yield (*path, "volumeMounts", number, "mountPath"), f"'{mount['mountPath']}' is no path from the top"
    yield from repeated((*path, "volumeMounts"), [mount["mountPath"] for mount in mounts], "path")
