"""What trainings need besides valid fields, so that their pods find each other and none stays behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.finding import items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Manifest

_COMPLETED = "workflows.argoproj.io/completed"
_QUEUE = "kueue.x-k8s.io/queue-name"


def training_faults(manifest: Manifest) -> Iterator[Fault]:
    """Yield what is wrong with an object that trains."""
    spec = manifest.data.get("spec") or {}
    match manifest.kind:
        case "TrainJob":
            yield from _train_job_faults(spec)
        case "JobSet":
            yield from _job_set_faults(spec)
        case "Job":
            yield from _job_faults(("spec",), spec)
        case "PyTorchJob":
            if not (spec.get("runPolicy") or {}).get("activeDeadlineSeconds"):
                yield ("spec", "runPolicy", "activeDeadlineSeconds"), "it is needed, and missing: a training may hang"


def pod_label_faults(path: Path, labels: dict[str, Any]) -> Iterator[Fault]:
    """Yield the labels that change what happens to a pod."""
    if _COMPLETED in labels:
        yield (*path, _COMPLETED), "with it, Argo takes the pod for one of its own that has ended"
    if _QUEUE in labels:
        yield (*path, _QUEUE), "Kueue admits a job as a whole, and a pod with this label by itself"


def _train_job_faults(spec: dict[str, Any]) -> Iterator[Fault]:
    if spec.get("suspend") is not None:
        yield ("spec", "suspend"), "Kueue and the Trainer change it, and applying again would undo that"
    if not spec.get("activeDeadlineSeconds"):
        yield ("spec", "activeDeadlineSeconds"), "it is needed, and missing: a training may hang"
    if not spec.get("trainer"):
        yield ("spec", "trainer"), "it is needed, and missing: without it, torchrun is told of no peers"
        return
    for place, variable in items(spec, "trainer", "env"):
        if variable["name"].startswith("PET_"):
            yield ("spec", *place, "name"), f"the Trainer sets '{variable['name']}', and refuses others that do"
    for place, patch in items(spec, "runtimePatches"):
        if not patch.get("trainingRuntimeSpec"):
            yield ("spec", *place, "trainingRuntimeSpec"), "it is needed, and missing: the patch would change nothing"


def _job_set_faults(spec: dict[str, Any]) -> Iterator[Fault]:
    if spec.get("suspend") is not None:
        yield ("spec", "suspend"), "Kueue changes it, and applying again would undo that"
    if not spec.get("failurePolicy"):
        yield ("spec", "failurePolicy"), "it is needed, and missing: no node that fails would be started again"
    if not spec.get("replicatedJobs"):
        yield ("spec", "replicatedJobs"), "it is needed, and missing"
    for place, group in items(spec, "replicatedJobs"):
        job = (group.get("template") or {}).get("spec") or {}
        yield from _job_faults(("spec", *place, "template", "spec"), job)


def _job_faults(path: Path, spec: dict[str, Any]) -> Iterator[Fault]:
    if not spec.get("activeDeadlineSeconds"):
        yield (*path, "activeDeadlineSeconds"), "it is needed, and missing: a training may hang"
    if spec.get("completionMode") != "Indexed":
        yield (*path, "completionMode"), "'Indexed' is needed: the index is a node's rank"
    if spec.get("completions") != spec.get("parallelism"):
        yield (*path, "parallelism"), "it is not 'completions': the nodes of a training run at the same time"
    restart = ((spec.get("template") or {}).get("spec") or {}).get("restartPolicy")
    if restart not in ("Never", "OnFailure"):
        yield (*path, "template", "spec", "restartPolicy"), f"a Job takes 'Never' and 'OnFailure', not '{restart}'"
    if spec.get("podFailurePolicy") and restart != "Never":
        yield (*path, "template", "spec", "restartPolicy"), "with a podFailurePolicy, 'Never' is needed"
