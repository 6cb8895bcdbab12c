"""What a platform names besides: the queue, the runtime and the priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.doctor.case import GUIDE
from hubc.backends.argo.kinds import Kind
from hubc.backends.argo.refusals import RefusedError
from hubc.doctor.finding import Finding
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object

KUEUE = "kueue.x-k8s.io"
RUNTIMES = Kind("clustertrainingruntimes", "trainer.kubeflow.org", "v1alpha1", is_namespaced=False)
PRIORITIES = Kind("priorityclasses", "scheduling.k8s.io", is_namespaced=False)


def check_named(case: Case) -> Iterator[Finding]:
    """Say whether each is there, and whether the queue takes work."""
    if case.argo.queue:
        yield _queue(case, case.argo.queue)
    if runtime := case.argo.launcher.runtime:
        subject = f"ClusterTrainingRuntime '{runtime}'"
        found = case.get(subject, RUNTIMES, runtime, "apply argo/install/components/trainer, or name another 'runtime'")
        yield found if isinstance(found, Finding) else Finding(subject, "good", "is there")
    if name := case.argo.priority_class:
        subject = f"PriorityClass '{name}'"
        found = case.get(subject, PRIORITIES, name, "make it, or name another 'priority_class'")
        good = "is there" if isinstance(found, Finding) else f"has the value {found.get('value', 0)}"
        yield found if isinstance(found, Finding) else Finding(subject, "good", good)


def _queue(case: Case, name: str) -> Finding:
    subject = f"queue '{name}'"
    try:
        version = str(case.cluster.group(Kind("localqueues", KUEUE))["preferredVersion"]["version"])
    except RefusedError as error:
        if error.code != 404:
            raise
        return Finding(subject, "bad", "Kueue is not installed", f"install it, {GUIDE}, or leave 'queue' out")
    kind = Kind("localqueues", KUEUE, version)
    found = case.get(subject, kind, name, "make a LocalQueue of this name, or name another 'queue'")
    return found if isinstance(found, Finding) else _activity(subject, found)


def _activity(subject: str, found: Object) -> Finding:
    above = printable(str(found.get("spec", {}).get("clusterQueue", "")))
    for condition in found.get("status", {}).get("conditions", []):
        if condition.get("type") == "Active" and condition.get("status") == "True":
            return Finding(subject, "good", f"is active, in ClusterQueue '{above}'")
        if condition.get("type") == "Active":
            why = printable(str(condition.get("message", "") or condition.get("reason", "")))
            return Finding(subject, "bad", f"is not active: {why}", f"mend ClusterQueue '{above}'")
    return Finding(subject, "unknown", "does not tell whether it is active", "look whether Kueue's controller runs")
