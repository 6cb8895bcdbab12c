"""Names and sizes that a cluster would refuse are refused when rendering, with the limit and a remedy."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from hubc.backends.argo import job_name, render
from hubc.errors import HubcError, UsageError
from hubc.plan import External, Plan, Resources, Step
from hubc.workspace import LOCAL, load_platform

if TYPE_CHECKING:
    from hub_steps.contract import Kind
    from hubc.spec.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = load_platform(str(ROOT / "specs" / "platforms" / "example-cluster.yaml"), ROOT)


def make_step(
    id: str = "train", kind: Kind = "train", nodes: int = 1, documents: dict[str, Any] | None = None, timeout: int = 1
) -> Step:
    return Step(
        id=id,
        kind=kind,
        parameters={},
        inputs={"taxonomy": External(key="sha256:0", documents=documents)},
        resources=Resources(nodes, cpus=1, memory_gib=1, accelerators=0, accelerator=None, timeout_minutes=timeout),
        secrets=(),
        image="registry.example.com/step",
        material={"id": id},
    )


def make_plan(*steps: Step, pipeline: str = "small") -> Plan:
    return Plan(pipeline, "", PLATFORM.metadata.name, "0" * 64, steps)


def with_argo(**changes: Any) -> Platform:
    argo = PLATFORM.spec.argo.model_copy(update=changes) if PLATFORM.spec.argo else None
    return PLATFORM.model_copy(update={"spec": PLATFORM.spec.model_copy(update={"argo": argo})})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (make_plan(make_step(), pipeline="p" * 53), r"workflow-name: .* has 64 characters, the limit is 63; give "),
        (make_plan(make_step(), pipeline="Upper"), r"workflow-name: .*not a DNS label"),
        (make_plan(make_step("s" * 64)), r"step-id: .* has 64 characters, the limit is 63; give "),
        (make_plan(make_step("evaluate.base")), r"step-id: 'evaluate\.base' cannot be the name"),
        (make_plan(make_step("pipeline")), r"step-id: 'pipeline' is the name of a template of hubc's own"),
        (make_plan(make_step("Train", nodes=2)), r"step-id: .*not a DNS label"),
        (make_plan(*(make_step(f"step-{n}", timeout=n + 1) for n in range(193))), r"templates: .* has 201 templates"),
        (make_plan(make_step(documents={"leaf": "x" * 409_600})), r"request-size: .*limit is 409600; take"),
        (make_plan(*(make_step(f"step-{n}", timeout=n + 1) for n in range(190))), r"manifest-size: .*limit is 524288; take"),
    ],
)  # fmt: skip
def test_over_budget(plan: Plan, message: str) -> None:
    with pytest.raises(HubcError, match=message):
        render(plan, PLATFORM)


@pytest.mark.parametrize(
    "plan",
    [
        make_plan(make_step(), pipeline="p" * 52),
        make_plan(make_step("s" * 63)),
        make_plan(*(make_step(f"step-{n}", timeout=n + 1) for n in range(150))),
        make_plan(*(make_step(f"step-{n}") for n in range(199))),
        make_plan(make_step(documents={"leaf": "x" * 400_000})),
    ],
)
def test_just_within_budget(plan: Plan) -> None:
    assert yaml.safe_load(render(plan, PLATFORM))["metadata"]["name"].startswith(plan.pipeline)


@pytest.mark.parametrize("pipeline", ["a", "quickstart", "p" * 30, "p" * 31, "p" * 40, "a-" * 19 + "aa"])
@pytest.mark.parametrize("nodes", [2, 100, 101, 1024])
def test_job_names_leave_room_for_pod_names(pipeline: str, nodes: int) -> None:
    step = make_step(nodes=nodes)
    name = job_name(make_plan(step, pipeline=pipeline), step)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= 47
    assert len(f"{name}-node-0-{nodes - 1}-abcde") <= 63
    assert name.endswith(f"-{step.key[:10]}")


def test_a_long_step_id_is_cut_and_told_apart_by_its_key() -> None:
    steps = [make_step("train-learning-rate-0-0001-lora-r-" + end, nodes=8) for end in ("16", "32")]
    names = {job_name(make_plan(*steps, pipeline="quickstart"), step) for step in steps}
    assert len(names) == 2
    assert all(name.startswith("quickstart-train-") and len(name) <= 47 for name in names)


def test_job_names_of_similar_pipelines_differ() -> None:
    step = make_step(nodes=2)
    names = {job_name(make_plan(step, pipeline="p" * 39 + end), step) for end in "ab"}
    assert len(names) == 2


def test_old_controllers_are_refused() -> None:
    with pytest.raises(HubcError, match=r"controller-version: Argo Workflows 3\.5\.9 is older than 3\.6"):
        render(make_plan(make_step()), with_argo(controller_version="3.5.9"))
    assert render(make_plan(make_step()), with_argo(controller_version="3.6.0"))


def test_another_platform_is_refused() -> None:
    with pytest.raises(UsageError, match="the plan is for platform 'example-cluster', not 'local'"):
        render(make_plan(make_step()), LOCAL)
    with pytest.raises(UsageError, match="platform 'local' has no 'argo'"):
        render(replace(make_plan(make_step()), platform="local"), LOCAL)
