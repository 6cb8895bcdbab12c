"""Verification of renderings: it finds nothing in what is right, and each of many mistakes where it is."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from rendering import CONDITIONS, GONE, broken, training, workflow, wrapped
from rendering_probes import FIELDS, PROBES, Probe

from hubc.backends.argo import Form, render
from hubc.backends.argo.verify import Finding, verify
from hubc.spec.cluster import Launcher
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "backends" / "golden" / "quickstart.example-cluster.yaml"
UPSTREAM = ROOT.parent / "shared" / "upstream" / "check_manifests.py"
Upstream = "Callable[[dict[str, Any]], list[Any]]"


@pytest.fixture(scope="module")
def upstream() -> Upstream:
    """Return the checks of Argo's, JobSet's and the Trainer's own resource schemas."""
    if not UPSTREAM.is_file():
        pytest.skip("the upstream schemas are not here")
    spec = importlib.util.spec_from_file_location("check_manifests", UPSTREAM)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda document: list(module.check(document))


def keys(data: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of all values in a document that `broken` can change, but for those with a slash in a key."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        if "/" not in str(key):
            yield f"{path}{key}"
            yield from keys(value, f"{path}{key}/")


@pytest.mark.parametrize("kind", CONDITIONS)
def test_what_is_right(kind: str) -> None:
    assert verify([workflow(kind)]) == []


def test_what_is_right_in_other_forms() -> None:
    assert verify(wrapped(workflow())) == []
    success, failure = CONDITIONS["JobSet"]
    both = broken(workflow(), "spec/templates/train-apply/resource/successCondition", success)
    assert verify([broken(both, "spec/templates/train-apply/resource/failureCondition", failure)]) == []


def test_what_is_rendered() -> None:
    assert verify(list(yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("launcher", ["jobset", "trainjob", "pytorchjob", "job"])
@pytest.mark.parametrize("form", ["workflow", "workflowtemplate"])
def test_what_is_rendered_for_each_launcher(launcher: str, form: Form) -> None:
    platform = load_platform(str(ROOT / "specs" / "platforms" / "example-cluster.yaml"), ROOT)
    argo = platform.spec.argo
    assert argo
    chosen = Launcher.model_validate(
        {"kind": launcher, "runtime": "hubc-torch" if launcher == "trainjob" else None}, strict=False
    )
    spec = platform.spec.model_copy(update={"argo": argo.model_copy(update={"launcher": chosen})})
    plan = load_plan(ROOT / "specs" / "pipelines" / "quickstart.yaml", platform)
    text = render(plan, platform.model_copy(update={"spec": spec}), form=form)
    assert verify(list(yaml.safe_load_all(text))) == []


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: f"{probe.path}: {str(probe.value)[:30]}")
def test_probes(probe: Probe) -> None:
    found = verify([broken(workflow(), probe.path, probe.value)])
    assert [each for each in found if probe.place in each.path and probe.message in each.message], "\n".join(map(str, found))


def test_there_are_many_probes() -> None:
    assert len(PROBES) == len({(probe.path, str(probe.value), probe.place) for probe in PROBES}) >= 150


def test_hera_lets_most_of_them_through() -> None:
    from hera.workflows import models

    passed = 0
    for probe in PROBES:
        try:
            models.Workflow.model_validate(broken(workflow(), probe.path, probe.value))
        except ValueError:
            continue
        passed += 1
    assert passed > 0.8 * len(PROBES)


def test_what_upstream_finds_is_found(upstream: Callable[[dict[str, Any]], list[Any]]) -> None:
    assert upstream(workflow()) == []
    missed = []
    for number, path in enumerate(list(keys(workflow()))[::13]):
        for value in (GONE, ["odd"], "odd") if number % 3 else (GONE, {"odd": 1}, 7):
            document = broken(workflow(), path, value)
            if not verify([document]) and (found := upstream(document)):
                missed.append((path, value, found[:2]))
    assert missed == []


@pytest.mark.parametrize("kind", ["JobSet", "TrainJob"])
def test_what_upstream_finds_in_trainings_is_found(kind: str, upstream: Callable[[dict[str, Any]], list[Any]]) -> None:
    plain = training(kind)
    assert upstream(plain) == []
    for path in list(keys(plain))[::9]:
        for value in (GONE, ["odd"], {"odd": 1}):
            if path in ("apiVersion", "kind"):
                continue
            inner = broken(plain, path, value)
            document = broken(workflow(kind), "spec/templates/train-apply/resource/manifest", json.dumps(inner))
            assert verify([document]) or not upstream(inner), (path, value)


@pytest.mark.parametrize(
    ("kind", "path", "value", "message"),
    [
        ("TrainJob", "spec/trainer", GONE, "told of no peers"),
        ("TrainJob", "spec/trainer/numProcPerNode", "auto", "valid integer"),
        ("TrainJob", "spec/trainer/env/+", {"name": "PET_NNODES", "value": "2"}, "refuses"),
        ("TrainJob", "spec/trainer/env/+", {"name": "HF_TOKEN", "value": "x"}, "secretKeyRef"),
        ("TrainJob", "spec/podTemplateOverrides", [], "unknown field"),
        ("TrainJob", "spec/suspend", True, "undo"),
        ("TrainJob", "spec/activeDeadlineSeconds", GONE, "hang"),
        ("TrainJob", "spec/runtimePatches", GONE, "secure"),
        ("TrainJob", "spec/runtimePatches/0/trainingRuntimeSpec", GONE, "change nothing"),
        ("PyTorchJob", "spec/pytorchReplicaSpecs/Master", GONE, "missing"),
        ("PyTorchJob", "spec/pytorchReplicaSpecs/Chief", {}, "unknown field"),
        ("PyTorchJob", "spec/pytorchReplicaSpecs/Master/restartPolicy", "Sometimes", "should be"),
        ("PyTorchJob", "spec/pytorchReplicaSpecs/Master/template/spec/nodeSelectors", {}, "unknown field"),
        ("PyTorchJob", "spec/nprocPerNode", 1, "valid string"),
        ("PyTorchJob", "spec/runPolicy/suspended", True, "unknown field"),
        ("PyTorchJob", "spec/runPolicy/activeDeadlineSeconds", GONE, "hang"),
        ("PyTorchJob", "spec/pytorchReplicaSpecs/Worker/template/spec/containers/node/securityContext", GONE, "needed"),
        ("Job", "spec/parallelsim", 2, "unknown field"),
        ("Job", "spec/template/spec/containers", [], "at least one container"),
        ("Job", "spec/template/spec/containers/node/securityContext/runAsUser", 0, "root"),
    ],
)
def test_other_trainings(kind: str, path: str, value: Any, message: str) -> None:
    found = verify([broken(workflow(kind), f"spec/templates/train-apply/resource/manifest/{path}", value)])
    assert any(message in each.message for each in found), found


@pytest.mark.parametrize(
    ("kind", "success", "message"),
    [
        ("TrainJob", "status.jobsStatus.0.nam", "nothing there"),
        ("TrainJob", "status.conditions.0.type == Completed", "never 'Completed'"),
        ("PyTorchJob", "status.replicaStatuses.Chief.succeeded > 0", "nothing there"),
        ("PyTorchJob", "status.replicaStatuses.Master.succeeded > none", "whole number"),
        ("Job", "status.completedTime", "nothing there"),
        ("Job", "status.conditions.0.type == Completed", "never 'Completed'"),
        ("Job", "status.conditions.0.status == true", "never 'true'"),
    ],
)
def test_conditions_of_other_trainings(kind: str, success: str, message: str) -> None:
    (found,) = verify([broken(workflow(kind), "spec/templates/train-wait/resource/successCondition", success)])
    assert found.path == "spec.templates[9].resource.successCondition"
    assert message in found.message


@pytest.mark.parametrize(
    ("number", "path", "value", "message"),
    [
        (1, "spec/workflowTemplateRef/name", "other", "no WorkflowTemplate 'other'"),
        (1, "spec/entrypoint", "other", "no template 'other'"),
        (1, "spec/templates", workflow()["spec"]["templates"], "has none of its own"),
        (2, "metadata/name", "t" * 53, "the limit for a CronWorkflow is 52"),
        (2, "spec/schedules", ["at night"], "no schedule"),
        (2, "spec/concurrencyPolicy", "Skip", "none of"),
        (2, "spec/workflowSpec/entrypoint", "other", "no template 'other'"),
        (2, "spec/workflowSpec/workflowTemplateRef/clusterScope", True, "namespace"),
        (0, "spec/templates/plain/container/image", GONE, "needed"),
    ],
)
def test_other_forms(number: int, path: str, value: Any, message: str) -> None:
    documents = wrapped(workflow())
    documents[number] = broken(documents[number], path, value)
    found = verify(documents)
    assert any(message in each.message for each in found)


def test_what_is_no_manifest_is_found() -> None:
    inner = "spec/templates/train-apply/resource/manifest"
    outer = ("kind", "apiVersion", "metadata", "metadata/name", "spec", "spec/templates", "spec/templates/0")
    for path in (*outer, f"{inner}/kind", f"{inner}/metadata", f"{inner}/spec"):
        for odd in (None, 7, "-odd", ["odd"], {"odd": 1}, [], {}):
            assert verify([broken(workflow(), path, odd)])


def test_two_documents_of_one_name() -> None:
    assert [each.message for each in verify([workflow(), workflow()])] == ["two documents of one kind have this name"]


def test_a_finding_says_all() -> None:
    (found,) = verify([broken(workflow(), FIELDS[0].path, 1)])
    assert found == Finding("Workflow", "tides-0123456789", "surprise", "unknown field")
    assert str(found) == "Workflow/tides-0123456789: surprise: unknown field"


def test_two_hundred_templates_are_soon_verified() -> None:
    flow = workflow()
    plain = next(each for each in flow["spec"]["templates"] if each["name"] == "plain")
    flow["spec"]["templates"] += [{**plain, "name": f"plain-{number}"} for number in range(189)]
    assert verify([workflow()]) == []
    start = time.process_time()
    assert verify([flow]) == []
    assert time.process_time() - start < 1.5
    flow["spec"]["templates"] += [{**plain, "name": "one-more"}]
    assert [each.message for each in verify([flow])] == ["there are 201 templates, the limit is 200"]
