"""What a rendered Workflow holds: compared with a golden file, checked against schemas, and read back."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from hub_steps.contract import Request
from hub_steps.parameters import SecretReference
from hubc.backends.argo import job_name, render, warnings, workflow_name
from hubc.backends.argo.pod import container
from hubc.source import parse_text
from hubc.spec.platform import Accelerator, Toleration
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.plan import Plan
    from hubc.spec.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden" / "quickstart.example-cluster.yaml"
CHECKER = ROOT.parent / "shared" / "upstream" / "check_manifests.py"


@pytest.fixture(scope="module")
def platform() -> Platform:
    return load_platform(str(ROOT / "specs" / "platforms" / "example-cluster.yaml"), ROOT)


@pytest.fixture(scope="module")
def plan(platform: Platform) -> Plan:
    return load_plan(ROOT / "specs" / "pipelines" / "quickstart.yaml", platform)


@pytest.fixture(scope="module")
def text(plan: Plan, platform: Platform) -> str:
    return render(plan, platform)


@pytest.fixture
def manifest(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def with_resources(plan: Plan, id: str, **changes: Any) -> Plan:
    """Return the plan with other resources for one step."""
    steps = [replace(s, resources=replace(s.resources, **changes)) if s.id == id else s for s in plan.steps]
    return replace(plan, steps=tuple(steps))


def template(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in manifest["spec"]["templates"] if t["name"] == name)
    return found


def job_set(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(template(manifest, "train")["resource"]["manifest"])
    return found


def job(manifest: dict[str, Any]) -> dict[str, Any]:
    (replicated,) = job_set(manifest)["spec"]["replicatedJobs"]
    found: dict[str, Any] = replicated["template"]["spec"]
    return found


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job(manifest)["template"]["spec"]
    return found


def environment(container: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in container["env"]}


def strict(schema: Any) -> Any:
    """Return a schema that refuses unknown fields."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(value) for key, value in schema.items()}
    return {**found, "additionalProperties": False} if "properties" in found else found


def faults(model: Any, data: Any) -> list[str]:
    """Return what a Hera model does not know or not allow in `data`."""
    validator = Draft202012Validator(strict(model.model_json_schema(by_alias=True)))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(data)]


def test_golden(text: str, golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN, text)


def test_the_same_plan_gives_the_same_bytes(plan: Plan, platform: Platform, text: str) -> None:
    assert render(plan, platform) == text


def test_yaml_1_1_and_1_2_read_the_same(text: str) -> None:
    assert yaml.safe_load(text) == parse_text(text, "manifest").data


def test_schema(manifest: dict[str, Any]) -> None:
    from hera.workflows import models

    assert not faults(models.Workflow, manifest)
    assert faults(models.Workflow, {**manifest, "surprise": 1}), "the schema must refuse what it does not know"


def test_schema_of_the_distributed_pods(manifest: dict[str, Any]) -> None:
    from hera.workflows import models

    found = pod(manifest)
    assert not faults(models.Container, found["containers"][0])
    assert not faults(models.PodSecurityContext, found["securityContext"])
    assert not [fault for volume in found["volumes"] for fault in faults(models.Volume, volume)]


@pytest.mark.skipif(not CHECKER.is_file(), reason="the upstream schemas are not here; Hera's are checked in any case")
def test_upstream_schemas(plan: Plan, platform: Platform, tmp_path: Path) -> None:
    single = with_resources(plan, "train", nodes=1, accelerators=8, accelerator="h100")
    many = with_resources(plan, "train", nodes=8, accelerators=8, accelerator="h100")
    files = []
    for number, variant in enumerate((plan, single, many)):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(render(variant, platform), encoding="utf-8")
    done = subprocess.run([sys.executable, CHECKER, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hera_drops_nothing(plan: Plan, platform: Platform) -> None:
    variant = with_resources(plan, "generate", accelerators=2, accelerator="h100")
    step = variant.step("generate")
    found = template(yaml.safe_load(render(variant, platform)), "generate")["container"]
    assert found == container(step, platform.spec.accelerators, "/hubc/request.json", [])


def test_requests_are_those_of_the_plan(plan: Plan, manifest: dict[str, Any]) -> None:
    found = {"train": environment(pod(manifest)["containers"][0])["HUBC_REQUEST"]}
    for name in ("generate", "evaluate-base", "evaluate-tuned", "publish"):
        (artifact,) = template(manifest, name)["inputs"]["artifacts"]
        assert artifact["path"] == template(manifest, name)["container"]["command"][-1]
        found[name] = artifact["raw"]["data"]
    run = manifest["metadata"]["name"]
    for step in plan.steps:
        expected = plan.request(step, run, "file:///storage/outputs", "file:///storage/published", "/storage/models")
        assert Request.model_validate_json(found[step.id]) == expected


def test_tasks_follow_the_plan(plan: Plan, manifest: dict[str, Any]) -> None:
    tasks = template(manifest, manifest["spec"]["entrypoint"])["dag"]["tasks"]
    depends = {task["template"]: task.get("depends", "").split(" && ") if "depends" in task else [] for task in tasks}
    assert depends == {step.id: list(step.needs) for step in plan.steps}


def test_workflow_level(plan: Plan, manifest: dict[str, Any]) -> None:
    metadata, spec = manifest["metadata"], manifest["spec"]
    assert metadata["name"] == workflow_name(plan) == f"quickstart-{plan.digest[:10]}"
    assert metadata["labels"]["hubc.dev/plan"] == plan.digest[:63]
    assert plan.description in metadata["annotations"]["workflows.argoproj.io/description"]
    assert spec["serviceAccountName"] == "hubc-step"
    assert spec["executor"] == {"serviceAccountName": "hubc-executor"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["synchronization"] == {"mutexes": [{"name": "hubc-quickstart"}]}
    longest = sum(step.resources.timeout_minutes * 60 * (step.retries + 1) for step in plan.steps)
    assert spec["activeDeadlineSeconds"] > longest


def test_only_leaf_templates_retry_and_have_deadlines(manifest: dict[str, Any]) -> None:
    for found in manifest["spec"]["templates"]:
        assert ("retryStrategy" in found) == ("dag" not in found)
        assert ("activeDeadlineSeconds" in found) == ("container" in found)
    retry = template(manifest, "generate")["retryStrategy"]
    assert retry["expression"] == 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]'
    assert (retry["limit"], retry["retryPolicy"]) == (2, "Always")


def test_every_step_pod_meets_the_restricted_standard(manifest: dict[str, Any]) -> None:
    templates = [found["container"] for found in manifest["spec"]["templates"] if "container" in found]
    for found in [*templates, *pod(manifest)["containers"]]:
        security = found["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["readOnlyRootFilesystem"] is True
        mounts = {mount["mountPath"] for mount in found["volumeMounts"]}
        assert {"/storage", environment(found)["HOME"]} <= mounts
    for security in (manifest["spec"]["securityContext"], pod(manifest)["securityContext"]):
        assert security == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


def test_distributed_training_is_applied_and_cleaned_up(plan: Plan, manifest: dict[str, Any]) -> None:
    resource = template(manifest, "train")["resource"]
    assert (resource["action"], resource["setOwnerReference"]) == ("apply", True)
    assert resource["successCondition"] == "status.terminalState == Completed"
    assert resource["failureCondition"] == "status.terminalState == Failed"
    tasks = template(manifest, manifest["spec"]["onExit"])["dag"]["tasks"]
    assert [task["template"] for task in tasks] == ["delete-train"]
    delete = template(manifest, "delete-train")["resource"]
    assert set(delete) == {"action", "flags", "manifest"}
    assert (delete["action"], delete["flags"]) == ("delete", ["--ignore-not-found"])
    name = job_name(plan, plan.step("train"))
    for found in (json.loads(delete["manifest"]), job_set(manifest)):
        assert found["kind"] == "JobSet"
        assert (found["metadata"]["name"], found["metadata"]["namespace"]) == (name, "hubc")


def test_distributed_pods_find_each_other(plan: Plan, manifest: dict[str, Any]) -> None:
    found, name = job(manifest), job_set(manifest)["metadata"]["name"]
    assert (found["parallelism"], found["completions"], found["completionMode"]) == (2, 2, "Indexed")
    assert found["backoffLimit"] == 0
    assert job_set(manifest)["spec"]["failurePolicy"]["maxRestarts"] == plan.step("train").retries
    rank = environment(pod(manifest)["containers"][0]).pop("PET_NODE_RANK")
    assert rank == {"fieldRef": {"fieldPath": "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}
    variables = environment(pod(manifest)["containers"][0])
    assert variables["PET_NNODES"] == "2"
    assert variables["PET_NPROC_PER_NODE"] == "1"
    assert variables["PET_MASTER_ADDR"] == f"{name}-node-0-0.{name}"
    assert variables["PET_MASTER_PORT"] == "29500"


def test_labels_of_distributed_pods(manifest: dict[str, Any]) -> None:
    queue = "kueue.x-k8s.io/queue-name"
    pods = job(manifest)["template"]["metadata"]["labels"]
    assert job_set(manifest)["metadata"]["labels"][queue] == "training"
    assert queue not in pods
    assert pods["workflows.argoproj.io/workflow"] == manifest["metadata"]["name"]
    assert "workflows.argoproj.io/completed" not in pods
    assert pods["hubc.dev/step"] == "train"


def test_training_on_one_node_is_a_container(plan: Plan, platform: Platform) -> None:
    variant = with_resources(plan, "train", nodes=1, accelerators=4, accelerator="h100")
    manifest = yaml.safe_load(render(variant, platform))
    found = template(manifest, "train")["container"]
    assert environment(found)["PET_NPROC_PER_NODE"] == "4"
    assert "/dev/shm" in {mount["mountPath"] for mount in found["volumeMounts"]}
    assert "onExit" not in manifest["spec"]
    assert not [found for found in manifest["spec"]["templates"] if "resource" in found]


@pytest.mark.parametrize("nodes", [1, 4])
def test_accelerators(plan: Plan, platform: Platform, nodes: int) -> None:
    kind = Accelerator(
        resource="amd.com/gpu",
        node_selector={"gpu": "mi300"},
        tolerations=(Toleration(key="gpu", value="mi300", effect="NoExecute"), Toleration(key="spot")),
    )
    other = platform.model_copy(update={"spec": platform.spec.model_copy(update={"accelerators": {"mi300": kind}})})
    variant = with_resources(plan, "train", nodes=nodes, accelerators=8, accelerator="mi300")
    manifest = yaml.safe_load(render(variant, other))
    place = template(manifest, "train") if nodes == 1 else pod(manifest)
    step = place["container"] if nodes == 1 else place["containers"][0]
    amounts = {"cpu": "4", "memory": "16Gi", "amd.com/gpu": "8"}
    assert step["resources"] == {"requests": amounts, "limits": amounts}
    assert place["nodeSelector"] == {"gpu": "mi300"}
    assert place["tolerations"] == [
        {"operator": "Equal", "key": "gpu", "value": "mi300", "effect": "NoExecute"},
        {"operator": "Exists", "key": "spot"},
    ]


def test_secrets_are_references(plan: Plan, platform: Platform) -> None:
    secret = SecretReference(secret="teacher", key="api-key")
    steps = tuple(replace(step, secrets=(secret, secret)) for step in plan.steps)
    manifest = yaml.safe_load(render(replace(plan, steps=steps), platform))
    for step in (template(manifest, "generate")["container"], pod(manifest)["containers"][0]):
        found = [item for item in step["env"] if item["name"].startswith("HUBC_SECRET_")]
        assert found == [{"name": secret.variable, "valueFrom": {"secretKeyRef": {"name": "teacher", "key": "api-key"}}}]


def test_without_a_queue_there_is_no_label(plan: Plan, platform: Platform) -> None:
    argo = platform.spec.argo.model_copy(update={"queue": None}) if platform.spec.argo else None
    other = platform.model_copy(update={"spec": platform.spec.model_copy(update={"argo": argo})})
    assert "kueue" not in render(plan, other)


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("3.7.14", False), ("3.7.15", True), ("3.6.30", False), ("4.0.5", False), ("4.0.6", True),
        ("4.1.1", False), ("4.1.2", True), ("4.2.0", True), ("5.0.0", True),
    ],
)  # fmt: skip
def test_warns_about_open_controllers(plan: Plan, platform: Platform, version: str, safe: bool) -> None:
    argo = platform.spec.argo.model_copy(update={"controller_version": version}) if platform.spec.argo else None
    other = platform.model_copy(update={"spec": platform.spec.model_copy(update={"argo": argo})})
    found = warnings(plan, other)
    assert (not found) == safe
    assert all("CVE-2026-54526" in warning and version in warning for warning in found)


def test_importing_the_backend_does_not_import_hera() -> None:
    code = "import sys, hubc.backends.argo; sys.exit('hera' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
