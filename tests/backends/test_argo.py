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
from hubc.backends.argo import render, warnings, workflow_name
from hubc.errors import UsageError
from hubc.origin import Origin
from hubc.source import parse_text
from hubc.spec.cluster import Argo
from hubc.spec.platform import Accelerator, Toleration
from hubc.spec.sweep import Notification, Schedule
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


def calls_of(manifest: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Return what a template calls, all at once."""
    (group,) = template(manifest, name)["steps"]
    return {call["name"]: call for call in group}


def with_resources(plan: Plan, id: str, **changes: Any) -> Plan:
    """Return the plan with other resources for one step."""
    steps = [replace(s, resources=replace(s.resources, **changes)) if s.id == id else s for s in plan.steps]
    return replace(plan, steps=tuple(steps))


def template(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(t for t in manifest["spec"]["templates"] if t["name"] == name)
    return found


def tasks_of(manifest: dict[str, Any], name: str = "pipeline") -> dict[str, dict[str, Any]]:
    return {task["name"]: task for task in template(manifest, name)["dag"]["tasks"]}


def document(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what the first pod of a run hands out."""
    (artifact,) = template(manifest, "prepare")["inputs"]["artifacts"]
    found: dict[str, Any] = json.loads(artifact["raw"]["data"])
    return found


def pod(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the pods of the training on several nodes."""
    (replicated,) = json.loads(template(manifest, "train-apply")["resource"]["manifest"])["spec"]["replicatedJobs"]
    found: dict[str, Any] = replicated["template"]["spec"]["template"]["spec"]
    return found


def with_argo(platform: Platform, **changes: Any) -> Platform:
    argo = Argo.model_validate({**platform.spec.argo.as_data(), **changes}, strict=False) if platform.spec.argo else None
    return platform.model_copy(update={"spec": platform.spec.model_copy(update={"argo": argo})})


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


def test_a_step_runs_unless_it_is_done(plan: Plan, manifest: dict[str, Any]) -> None:
    tasks = tasks_of(manifest)
    assert tasks["prepare"] == {"name": "prepare", "template": "prepare"}
    outputs = template(manifest, "prepare")["outputs"]["parameters"]
    assert outputs == [{"name": step.id, "valueFrom": {"path": f"/tmp/todo/{step.id}"}} for step in plan.steps]
    for step in plan.steps:
        assert tasks[step.id]["depends"].split(" && ") == ["prepare", *step.needs]
        assert tasks[step.id]["when"] == f"{{{{tasks.prepare.outputs.parameters.{step.id}}}}} == run"


def test_steps_that_are_told_other_things_share_a_template(manifest: dict[str, Any]) -> None:
    tasks = tasks_of(manifest)
    assert tasks["evaluate-base"]["template"] == tasks["evaluate-tuned"]["template"] == "evaluate"
    assert tasks["evaluate-base"]["arguments"] == {"parameters": [{"name": "step", "value": "evaluate-base"}]}
    command = template(manifest, "evaluate")["container"]["command"]
    request = "file:///storage/outputs/quickstart/.runs/{{workflow.name}}/{{inputs.parameters.step}}.request.json"
    assert command == ["python", "-m", "hub_steps", "evaluate", "--request", request]


def test_the_document_holds_the_requests_of_the_plan(plan: Plan, manifest: dict[str, Any]) -> None:
    found = document(manifest)
    run = manifest["metadata"]["name"]
    assert found["record"] == "file:///storage/outputs/quickstart/.runs"
    for step in plan.steps:
        expected = plan.request(step, run, "file:///storage/outputs", "file:///storage/published", "/storage/models")
        told = {**found["common"], **found["requests"][step.id]}
        told["parameters"] = {**found["parameters"][step.kind], **told["parameters"]}
        for given in told["inputs"].values():
            if "documents" in given:
                given["documents"] = found["documents"][given["documents"]["digest"]]
        assert Request.model_validate(told) == expected
    assert len(found["documents"]) == 2, "what several steps read stands in it once"


def test_workflow_level(plan: Plan, manifest: dict[str, Any]) -> None:
    metadata, spec = manifest["metadata"], manifest["spec"]
    assert metadata["name"] == workflow_name(plan) == f"quickstart-{plan.digest[:10]}"
    assert metadata["labels"]["hubc.dev/plan"] == plan.digest[:63]
    assert metadata["annotations"]["hubc.dev/plan-digest"] == plan.digest
    assert plan.description in metadata["annotations"]["workflows.argoproj.io/description"]
    steps = json.loads(metadata["annotations"]["hubc.dev/steps"])
    assert [(step["id"], step["key"]) for step in steps] == [(step.id, step.key) for step in plan.steps]
    assert spec["serviceAccountName"] == "hubc-step"
    assert spec["executor"] == {"serviceAccountName": "hubc-executor"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["synchronization"] == {"mutexes": [{"name": "hubc-quickstart"}]}
    longest = sum(step.resources.timeout_minutes * 60 * (step.retries + 1) for step in plan.steps)
    assert spec["activeDeadlineSeconds"] > longest


def test_only_leaf_templates_retry_and_have_deadlines(manifest: dict[str, Any]) -> None:
    for found in manifest["spec"]["templates"]:
        assert ("retryStrategy" in found) == ("dag" not in found and "steps" not in found)
        assert "activeDeadlineSeconds" not in found or not {"dag", "steps"} & found.keys()
    retry = template(manifest, "generate")["retryStrategy"]
    assert retry["expression"] == 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]'
    assert (retry["limit"], retry["retryPolicy"]) == (2, "Always")


def test_what_hubc_adds_ends_by_itself_and_fails_no_run(plan: Plan, platform: Platform) -> None:
    hook = Notification(url="https://hooks.example.com/hubc", events=("started", "failed"))
    manifest = yaml.safe_load(render(replace(plan, notify=(hook,)), platform))
    for name in ("prepare", "report", "delete-jobset"):
        assert template(manifest, name)["activeDeadlineSeconds"] <= 1800
    for name, called in {"exit": {"delete-jobset", "report"}, "tell": {"report"}}.items():
        calls = calls_of(manifest, name)
        assert calls.keys() == called
        assert all(call["continueOn"] == {"failed": True, "error": True} for call in calls.values())


def test_the_origin_becomes_labels(plan: Plan, platform: Platform) -> None:
    origin = Origin("specs/pipelines/quickstart.yaml", "a" * 40, 12, "team/specs")
    metadata = yaml.safe_load(render(plan, platform, origin))["metadata"]
    assert metadata["labels"]["hubc.dev/commit"] == "a" * 40
    assert metadata["labels"]["hubc.dev/pull-request"] == "12"
    assert metadata["annotations"]["hubc.dev/spec"] == "specs/pipelines/quickstart.yaml"


def test_github_is_told_at_the_start_and_at_the_end(plan: Plan, platform: Platform) -> None:
    other = with_argo(platform, github={"token": {"secret": "github", "key": "token"}}, ui_url="https://argo.example.com")
    manifest = yaml.safe_load(render(plan, other, Origin("s.yaml", "a" * 40, 12, "team/specs")))
    assert "tell" in tasks_of(manifest)
    starts, ends = calls_of(manifest, "tell"), calls_of(manifest, manifest["spec"]["onExit"])
    assert starts["report"]["arguments"]["parameters"] == [{"name": "status", "value": "Running"}]
    assert ends["report"]["arguments"]["parameters"] == [{"name": "status", "value": "{{workflow.status}}"}]
    report = template(manifest, "report")
    told = json.loads(report["inputs"]["artifacts"][0]["raw"]["data"])
    assert (told["github"]["repository"], told["github"]["commit"], told["github"]["pull_request"]) == (
        "team/specs", "a" * 40, 12,
    )  # fmt: skip
    token = {"name": "github", "key": "token"}
    assert environment(report["container"])["HUBC_SECRET_GITHUB__TOKEN"] == {"secretKeyRef": token}
    assert "tell" not in tasks_of(yaml.safe_load(render(plan, other))), "nobody can be told where the commit is not known"


def test_webhooks_are_told_at_the_end(plan: Plan, platform: Platform) -> None:
    hook = Notification(url="https://hooks.example.com/hubc", events=("failed",))
    manifest = yaml.safe_load(render(replace(plan, notify=(hook,)), platform))
    assert "tell" not in tasks_of(manifest), "it did not ask for starts"
    assert "report" in calls_of(manifest, "exit")
    told = json.loads(template(manifest, "report")["inputs"]["artifacts"][0]["raw"]["data"])
    assert told["webhooks"] == [{"url": "https://hooks.example.com/hubc", "authorization": None, "events": ["failed"]}]


def test_training_objects_are_deleted_however_the_run_ends(plan: Plan, platform: Platform, manifest: dict[str, Any]) -> None:
    (name,) = calls_of(manifest, manifest["spec"]["onExit"])
    resource = template(manifest, name)["resource"]
    assert set(resource) == {"action", "flags"}, "a deletion takes no conditions"
    assert resource["action"] == "delete"
    assert "--selector=workflows.argoproj.io/workflow={{workflow.name}}" in resource["flags"]
    single = with_resources(plan, "train", nodes=1)
    assert "onExit" not in yaml.safe_load(render(single, platform))["spec"]


def test_a_schedule_makes_a_cron_workflow(plan: Plan, platform: Platform) -> None:
    scheduled = replace(plan, schedule=Schedule(cron="0 3 * * 1", timezone="Europe/Berlin", overlap="replace"))
    found = yaml.safe_load(render(scheduled, platform))
    assert (found["kind"], found["metadata"]["name"]) == ("CronWorkflow", "quickstart")
    assert found["spec"]["schedules"] == ["0 3 * * 1"]
    assert (found["spec"]["timezone"], found["spec"]["concurrencyPolicy"]) == ("Europe/Berlin", "Replace")
    assert found["spec"]["workflowMetadata"]["annotations"]["hubc.dev/plan-digest"] == scheduled.digest
    once = yaml.safe_load(render(scheduled, platform, form="workflow"))
    assert once["kind"] == "Workflow"
    assert once["spec"] == found["spec"]["workflowSpec"]


@pytest.mark.parametrize("referencing", ["strict", "secure"])
def test_where_only_templates_run(plan: Plan, platform: Platform, referencing: str) -> None:
    other = with_argo(platform, template_referencing=referencing)
    template_, workflow = yaml.safe_load_all(render(plan, other))
    assert (template_["kind"], workflow["kind"]) == ("WorkflowTemplate", "Workflow")
    assert template_["metadata"]["name"] == workflow_name(plan)
    allowed = {"entrypoint", "activeDeadlineSeconds", "ttlStrategy", "podGC", "priority", "workflowTemplateRef"}
    assert set(workflow["spec"]) <= allowed
    assert workflow["spec"]["workflowTemplateRef"] == {"name": workflow_name(plan)}
    assert template_["spec"] == yaml.safe_load(render(plan, platform))["spec"]
    with pytest.raises(UsageError, match="runs only WorkflowTemplates"):
        render(plan, other, form="workflow")


def test_training_on_one_node_is_a_container(plan: Plan, platform: Platform) -> None:
    variant = with_resources(plan, "train", nodes=1, accelerators=4, accelerator="h100")
    manifest = yaml.safe_load(render(variant, platform))
    found = template(manifest, "train")["container"]
    assert environment(found)["PET_NPROC_PER_NODE"] == "4"
    assert "/dev/shm" in {mount["mountPath"] for mount in found["volumeMounts"]}
    assert not [found for found in manifest["spec"]["templates"] if "resource" in found]


def test_accelerators(plan: Plan, platform: Platform) -> None:
    kind = Accelerator(
        resource="amd.com/gpu",
        node_selector={"gpu": "mi300"},
        tolerations=(Toleration(key="gpu", value="mi300", effect="NoExecute"), Toleration(key="spot")),
    )
    other = platform.model_copy(update={"spec": platform.spec.model_copy(update={"accelerators": {"mi300": kind}})})
    variant = with_resources(plan, "train", nodes=1, accelerators=8, accelerator="mi300")
    found = template(yaml.safe_load(render(variant, other)), "train")
    amounts = {"cpu": "4", "memory": "16Gi", "amd.com/gpu": "8"}
    assert found["container"]["resources"] == {"requests": amounts, "limits": amounts}
    assert found["nodeSelector"] == {"gpu": "mi300"}
    assert found["tolerations"] == [
        {"operator": "Equal", "key": "gpu", "value": "mi300", "effect": "NoExecute"},
        {"operator": "Exists", "key": "spot"},
    ]


def test_emulated_accelerators_ask_for_none(plan: Plan, platform: Platform) -> None:
    other = platform.model_copy(update={"spec": platform.spec.model_copy(update={"accelerators": {"h100": Accelerator()}})})
    variant = with_resources(plan, "train", nodes=1, accelerators=4, accelerator="h100", is_emulated=True)
    found = template(yaml.safe_load(render(variant, other)), "train")["container"]
    assert found["resources"]["limits"] == {"cpu": "4", "memory": "16Gi"}
    assert (environment(found)["HUBC_DEVICE"], environment(found)["PET_NPROC_PER_NODE"]) == ("cpu", "4")


def test_secrets_are_references_to_what_the_platform_has(plan: Plan, platform: Platform) -> None:
    secret = SecretReference(secret="teacher", key="api-key")
    steps = tuple(replace(step, secrets=(secret, secret)) for step in plan.steps)
    for mapping, expected in (
        ({}, {"name": "teacher", "key": "api-key"}),
        ({"teacher": {"name": "team-a", "keys": {"api-key": "token"}}}, {"name": "team-a", "key": "token"}),
    ):
        manifest = yaml.safe_load(render(replace(plan, steps=steps), with_argo(platform, secrets=mapping)))
        for step in (template(manifest, "generate")["container"], pod(manifest)["containers"][0]):
            found = [item for item in step["env"] if item["name"].startswith("HUBC_SECRET_")]
            assert found == [{"name": secret.variable, "valueFrom": {"secretKeyRef": expected}}]


def test_an_object_store(plan: Plan, platform: Platform) -> None:
    storage = {
        "location": "s3://hubc/team",
        "endpoint": "http://store:8333",
        "region": "us-east-1",
        "credentials": {"secret": "keys"},
    }
    manifest = yaml.safe_load(render(plan, with_argo(platform, storage=storage)))
    for step in (template(manifest, "publish")["container"], pod(manifest)["containers"][0]):
        told = environment(step)
        assert told["AWS_ENDPOINT_URL_S3"] == "http://store:8333"
        assert told["AWS_SECRET_ACCESS_KEY"] == {"secretKeyRef": {"name": "keys", "key": "secret-key"}}
        assert {mount["mountPath"] for mount in step["volumeMounts"]} >= {"/models", "/tmp"}
        assert step["command"][-1].startswith("s3://hubc/team/outputs/quickstart/.runs/{{workflow.name}}/")
    assert document(manifest)["requests"]["train"]["output"].startswith("s3://hubc/team/outputs/quickstart/train/")
    assert "persistentVolumeClaim" not in str(manifest)


def test_the_outside(plan: Plan, platform: Platform) -> None:
    other = with_argo(
        platform,
        proxies={"https": "http://proxy:3128", "no_proxy": [".svc", "10.0.0.0/8"]},
        mirrors={"package_index": "https://packages/simple", "model_hub": "https://hub"},
        certificate_authorities={"config_map": "trusted-ca", "key": "bundle.pem"},
    )
    manifest = yaml.safe_load(render(plan, other))
    for step in (template(manifest, "generate")["container"], template(manifest, "prepare")["container"]):
        told = environment(step)
        assert told["https_proxy"] == told["HTTPS_PROXY"] == "http://proxy:3128"
        assert told["no_proxy"] == ".svc,10.0.0.0/8"
        assert (told["PIP_INDEX_URL"], told["HF_ENDPOINT"]) == ("https://packages/simple", "https://hub")
        assert told["SSL_CERT_FILE"] == told["REQUESTS_CA_BUNDLE"] == "/hubc/certificates/bundle.pem"
        assert {"name": "certificates", "mountPath": "/hubc/certificates", "readOnly": True} in step["volumeMounts"]


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("3.7.14", False), ("3.7.15", True), ("3.6.30", False), ("4.0.5", False), ("4.0.6", True),
        ("4.1.1", False), ("4.1.2", True), ("4.2.0", True), ("5.0.0", True),
    ],
)  # fmt: skip
def test_warns_about_open_controllers(plan: Plan, platform: Platform, version: str, safe: bool) -> None:
    found = warnings(plan, with_argo(platform, controller_version=version))
    assert (not found) == safe
    assert all("CVE-2026-54526" in warning and version in warning for warning in found)


def test_importing_the_backend_does_not_import_hera() -> None:
    code = "import sys, hubc.backends.argo; sys.exit('hera' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
