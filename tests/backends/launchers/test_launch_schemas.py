"""What launchers render is what the resources' schemas allow, with unknown fields refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from trainings import pods_of

from hubc.backends.argo.serialize import to_yaml

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKER = Path(__file__).resolve().parents[4] / "shared" / "upstream" / "check_manifests.py"
# The models describe how Python holds these two, not what stands in a manifest.
SCALARS = {"IoK8sApimachineryPkgApiResourceQuantity", "IoK8sApimachineryPkgUtilIntstrIntOrString"}


def strict(schema: Any) -> Any:
    """Return a schema that refuses unknown fields."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: {"type": ["string", "number"]} if key in SCALARS else strict(value) for key, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in found else found


def faults(model: Any, data: Any) -> list[str]:
    validator = Draft202012Validator(strict(model.model_json_schema(by_alias=True)))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(data)]


def test_argo(workflow: dict[str, Any]) -> None:
    from hera.workflows import models

    assert not faults(models.Workflow, workflow)
    workflow["spec"]["templates"][-1]["resource"]["surprise"] = 1
    assert faults(models.Workflow, workflow), "the schema must refuse what it does not know"


@pytest.mark.parametrize("kind", ["jobset", "trainjob", "job"], indirect=True)
def test_objects(manifests: dict[str, Any]) -> None:
    from kubeflow_trainer_api import models

    known = {
        "JobSet": models.JobsetV1alpha2JobSet,
        "TrainJob": models.TrainerV1alpha1TrainJob,
        "Job": models.IoK8sApiBatchV1Job,
    }
    for kind in known.keys() & manifests.keys():
        assert not faults(known[kind], manifests[kind])
        manifests[kind]["spec"]["surprise"] = 1
        assert faults(known[kind], manifests[kind]), "the schema must refuse what it does not know"


@pytest.mark.parametrize("kind", ["pytorchjob"], indirect=True)
def test_pytorchjob(manifests: dict[str, Any]) -> None:
    """No package on the index carries this operator's schema at the version of ours; its own fields are few."""
    from kubeflow_trainer_api import models

    spec = manifests["PyTorchJob"]["spec"]
    assert set(spec) <= {"elasticPolicy", "nprocPerNode", "pytorchReplicaSpecs", "runPolicy"}
    assert set(spec["runPolicy"]) <= {
        "activeDeadlineSeconds", "backoffLimit", "cleanPodPolicy", "managedBy", "schedulingPolicy", "suspend",
        "ttlSecondsAfterFinished",
    }  # fmt: skip
    for replicas in spec["pytorchReplicaSpecs"].values():
        assert set(replicas) == {"replicas", "restartPolicy", "template"}
    for pod in pods_of(manifests["PyTorchJob"]).values():
        assert not faults(models.IoK8sApiCoreV1PodTemplateSpec, pod)


@pytest.mark.parametrize("kind", ["job"], indirect=True)
def test_service(manifests: dict[str, Any]) -> None:
    from kubernetes import client

    known = client.V1Service.attribute_map.values(), client.V1ServiceSpec.attribute_map.values()
    assert set(manifests["Service"]) <= set(known[0])
    assert set(manifests["Service"]["spec"]) <= set(known[1])
    assert set(manifests["Service"]["spec"]["ports"][0]) <= set(client.V1ServicePort.attribute_map.values())


@pytest.mark.skipif(not CHECKER.is_file(), reason="the upstream schemas are not here; the models' are checked in any case")
def test_upstream_schemas(workflow_of: Callable[[str], dict[str, Any]], kinds: tuple[str, ...], tmp_path: Path) -> None:
    files = [tmp_path / f"{kind}.yaml" for kind in kinds]
    for file in files:
        file.write_text(to_yaml(workflow_of(file.stem)), encoding="utf-8")
    done = subprocess.run([sys.executable, CHECKER, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
