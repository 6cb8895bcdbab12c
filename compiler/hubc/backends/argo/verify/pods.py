"""The pods that a rendering starts: those of Argo's templates, and those of the objects that templates make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.verify.finding import items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Path
    from hubc.backends.argo.verify.objects import Flow

Container = dict[str, Any]
LISTS = ("initContainers", "containers", "sidecars", "ephemeralContainers")


@dataclass(frozen=True)
class Pod:
    """A pod, put together as a cluster would; the paths lead from the document or object that describes it."""

    path: Path
    spec: dict[str, Any]
    containers: list[tuple[Path, Container]]
    volumes: list[tuple[Path, dict[str, Any]]]
    claims: frozenset[str] = frozenset()
    """Volumes that Argo makes."""
    labels: tuple[Path, dict[str, str]] = ((), {})
    """The pod's own labels, and where they stand."""

    @property
    def security(self) -> dict[str, Any]:
        """What holds for all containers."""
        return self.spec.get("securityContext") or {}


def flow_pods(flow: Flow) -> Iterator[Pod]:
    """Yield the pods of a spec's templates: what a template does not say, the spec says."""
    shared = [((*flow.path, *path), volume) for path, volume in items(flow.data, "volumes")]
    claims = frozenset(str((each.get("metadata") or {}).get("name")) for _, each in items(flow.data, "volumeClaimTemplates"))
    for path, template in flow.templates:
        if not template.get("container"):
            continue
        spec = {**template, "securityContext": template.get("securityContext") or flow.data.get("securityContext"),
                "hostNetwork": flow.data.get("hostNetwork")}  # fmt: skip
        main = [((*path, "container"), template["container"])]
        volumes = [((*path, *place), volume) for place, volume in items(template, "volumes")]
        yield Pod(path, spec, main + _containers(path, template), shared + volumes, claims,
                  ((*path, "metadata", "labels"), (template.get("metadata") or {}).get("labels") or {}))  # fmt: skip


def object_pods(data: dict[str, Any]) -> Iterator[Pod]:
    """Yield the pods of an object that makes any."""
    spec = data.get("spec") or {}
    match data.get("kind"):
        case "Job":
            yield from _template_pod(("spec", "template"), spec.get("template"))
        case "JobSet":
            for path, group in items(spec, "replicatedJobs"):
                yield from _job_pod(("spec", *path), group)
        case "PyTorchJob":
            for kind, group in (spec.get("pytorchReplicaSpecs") or {}).items():
                yield from _template_pod(("spec", "pytorchReplicaSpecs", kind, "template"), group.get("template"))
        case "TrainJob":
            for path, patch in items(spec, "runtimePatches"):
                place = ("trainingRuntimeSpec", "template", "spec", "replicatedJobs")
                for inner, group in items(patch, *place):
                    yield from _job_pod(("spec", *path, *inner), group)


def _job_pod(path: Path, group: dict[str, Any]) -> Iterator[Pod]:
    job = (group.get("template") or {}).get("spec") or {}
    yield from _template_pod((*path, "template", "spec", "template"), job.get("template"))


def _template_pod(path: Path, template: dict[str, Any] | None) -> Iterator[Pod]:
    spec = (template or {}).get("spec")
    if spec is not None:
        place = (*path, "spec")
        volumes = [((*place, *inner), volume) for inner, volume in items(spec, "volumes")]
        yield Pod(place, spec, _containers(place, spec), volumes, labels=(
            (*path, "metadata", "labels"), ((template or {}).get("metadata") or {}).get("labels") or {}
        ))  # fmt: skip


def _containers(path: Path, spec: dict[str, Any]) -> list[tuple[Path, Container]]:
    return [((*path, *place), each) for key in LISTS for place, each in items(spec, key)]
