"""Whether the persistent volume claims of a platform can be mounted by all of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.nodes import NODES
from hubc.backends.argo.kinds import EVENTS, Kind
from hubc.backends.argo.pods import one_line
from hubc.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object

CLAIMS = Kind("persistentvolumeclaims")
STORAGE_CLASSES = Kind("storageclasses", "storage.k8s.io", is_namespaced=False)
LATE = "WaitForFirstConsumer"
MANY, ONCE = "ReadWriteMany", "ReadWriteOnce"


def check_volumes(case: Case) -> Iterator[Finding]:
    """Say how each claim is."""
    storage = case.argo.storage
    for name in dict.fromkeys(filter(None, (storage.claim, storage.model_cache))):
        subject = f"volume claim '{name}'"
        found = case.get(subject, CLAIMS, name, "apply the flavour that has it, or name another claim in 'storage'")
        yield found if isinstance(found, Finding) else _claim(case, subject, found)


def _claim(case: Case, subject: str, found: Object) -> Finding:
    phase = found.get("status", {}).get("phase", "Pending")
    if found["metadata"].get("deletionTimestamp"):
        return Finding(subject, "bad", "is being deleted", "end the pods that use it, and make it anew")
    if fault := _modes(case, subject, found):
        return fault
    modes = ", ".join(found.get("spec", {}).get("accessModes", []))
    if phase == "Bound":
        capacity = found.get("status", {}).get("capacity", {}).get("storage", "")
        return Finding(subject, "good", ", ".join(filter(None, ["bound", capacity, modes])))
    if phase == "Pending":
        return _pending(case, subject, found, modes)
    return Finding(subject, "bad", f"is {phase}: its volume is gone", "restore the volume, or make the claim anew")


def _modes(case: Case, subject: str, found: Object) -> Finding | None:
    """Say if pods on several nodes could not all write to it."""
    modes = set(found.get("spec", {}).get("accessModes", []))
    if MANY in modes:
        return None
    text = f"its access modes are {', '.join(sorted(modes)) or 'none'}"
    anew = f"make it anew with {MANY} and a storage class that has it"
    if ONCE not in modes:
        return Finding(subject, "bad", f"{text}, and the pods of several steps write to it", anew)
    if case.nodes == 1:
        return None
    nodes = case.find_all(subject, NODES)
    several = f"{text}, and a step may run on {case.nodes} nodes"
    if isinstance(nodes, Finding):
        look = case.kubectl("get nodes", is_namespaced=False)
        return Finding(subject, "unknown", f"{several}, which is fine on a cluster with one node only", f"count: {look}")
    # All pods of a node may mount such a volume, and with one node there is no other.
    return None if len(nodes) == 1 else Finding(subject, "bad", several, f"{anew}, or set 'limits.nodes: 1'")


def _pending(case: Case, subject: str, found: Object, modes: str) -> Finding:
    """Say why a claim has no volume yet: many get one only with their first pod, and that is fine."""
    events = case.find_all(subject, EVENTS, fields=f"involvedObject.name={found['metadata']['name']}")
    told = {} if isinstance(events, Finding) else {item.get("reason"): item for item in events}
    if LATE in told or _binds_late(case, subject, found):
        return Finding(subject, "good", f"gets its volume with its first pod ({LATE}), {modes}")
    failures = [item for item in told.values() if item.get("type") == "Warning"]
    look = case.kubectl(f"describe pvc {found['metadata']['name']}")
    if failures:
        return Finding(subject, "bad", f"has no volume: {one_line(str(failures[-1].get('message', '')))}", f"see {look}")
    return Finding(subject, "unknown", "has no volume yet, and nothing tells why", f"look at: {look}")


def _binds_late(case: Case, subject: str, found: Object) -> bool:
    name = found.get("spec", {}).get("storageClassName")
    kind = case.get(subject, STORAGE_CLASSES, name, "") if name else None
    return isinstance(kind, dict) and kind.get("volumeBindingMode") == LATE
