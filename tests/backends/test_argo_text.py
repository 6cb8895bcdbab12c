"""No text of a user is ever evaluated by Argo or expanded by Kubernetes, and none is changed on its way to a step."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hubc.backends.argo import render
from hubc.backends.argo.serialize import to_json, to_yaml
from hubc.errors import HubcError, UsageError
from hubc.origin import Origin
from hubc.plan import External, Plan, Resources, Step
from hubc.source import parse_text
from hubc.spec.platform import Accelerator
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from hub_steps.contract import Kind

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = load_platform(str(ROOT / "specs" / "platforms" / "example-cluster.yaml"), ROOT)
TAGS = [
    "{{workflow.name}}", "{{=1+1}}", "{{{", "{{", "{", "}}", "$(HOME)", "$", '"', "\\", "\\u007b", "\\\"{{", "\n", " ",
    "\t", "\r", "\0", "\x85", "\u2028", "\ufeff", "#", ": ", "- ", "---", "|", ">", "1e-5", "0o14", "no", "~", "é", "😀",
]  # fmt: skip
characters = st.characters(exclude_categories=["Cs"])
hostile = st.lists(st.sampled_from(TAGS) | st.text(characters, max_size=5), max_size=8).map("".join)
documents = st.dictionaries(hostile, hostile | st.lists(hostile, max_size=2), max_size=2)
keys = hostile.filter(lambda key: key != "<<")
data = st.dictionaries(
    keys,
    st.recursive(
        hostile | st.integers(-(10**9), 10**9) | st.booleans() | st.none(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def make_plan(description: str, leaf: dict[str, Any]) -> Plan:
    """Return a plan of one step on one machine and one on two, both with hostile texts."""

    def step(id: str, kind: Kind, nodes: int) -> Step:
        return Step(
            id=id,
            kind=kind,
            parameters={"title": description, "leaf": leaf},
            inputs={"taxonomy": External(key="sha256:0", documents={"leaf": leaf})},
            resources=Resources(nodes, cpus=1, memory_gib=1, accelerators=0, accelerator=None, timeout_minutes=1),
            secrets=(),
            image="registry.example.com/step",
            material={"leaf": leaf},
        )

    steps = (step("publish", "publish", 1), step("train", "train", 2))
    return Plan("hostile", description, PLATFORM.metadata.name, "0" * 64, steps)


def tags(text: str) -> set[str]:
    return set(re.findall(r"\{\{.*?\}\}", text))


HARMLESS = tags(render(make_plan("", {}), PLATFORM))


@settings(max_examples=60, deadline=None)
@given(description=hostile, leaf=documents)
def test_hostile_texts_arrive_unchanged_and_unevaluated(description: str, leaf: dict[str, Any]) -> None:
    plan = make_plan(description, leaf)
    text = render(plan, PLATFORM)
    manifest = yaml.safe_load(text)
    assert tags(text) == HARMLESS, "only hubc's own tags"
    assert parse_text(text, "manifest").data == manifest
    templates = {template["name"]: template for template in manifest["spec"]["templates"]}
    told = json.loads(templates["prepare"]["inputs"]["artifacts"][0]["raw"]["data"])
    for step in plan.steps:
        assert told["parameters"][step.kind] | told["requests"][step.id]["parameters"] == step.parameters
    assert list(told["documents"].values()) == [{"leaf": leaf}]


@settings(max_examples=200, deadline=None)
@given(data)
def test_yaml_means_the_same_to_every_reader(value: dict[str, Any]) -> None:
    text = to_yaml(value)
    assert yaml.safe_load(text) == value
    assert parse_text(text, "text").data == value


@settings(max_examples=200, deadline=None)
@given(data, st.sampled_from([None, 2]))
def test_json_is_equal_and_harmless(value: dict[str, Any], indent: int | None) -> None:
    text = to_json(value, indent)
    assert json.loads(text) == value
    assert "{{" not in text
    assert "$" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"key": "1e-5"}, 'key: "1e-5"\n'),
        ({"key": "a\nb"}, "key: |-\n  a\n  b\n"),
        ({"key": "a\nb\n"}, "key: |\n  a\n  b\n"),
        ({"key": "a \nb"}, 'key: "a \\nb"\n'),
        ({"key": "\na"}, 'key: "\\na"\n'),
        ({"no": "a"}, '"no": "a"\n'),
        ({"1e5": "a"}, '"1e5": "a"\n'),
        ({"hubc.dev/plan": True}, "hubc.dev/plan: true\n"),
        ({"long": "word " * 60}, f'long: "{"word " * 60}"\n'),
    ],
)
def test_yaml_style(value: dict[str, Any], text: str) -> None:
    assert to_yaml(value) == text


def test_importing_hera_changes_nothing() -> None:
    before = to_yaml({"text": "{{a}}\nb"})
    import hera.workflows  # noqa: F401

    assert to_yaml({"text": "{{a}}\nb"}) == before


def test_braces_in_the_name_of_a_spec_are_refused() -> None:
    with pytest.raises(UsageError, match="Argo would evaluate"):
        Origin(spec="specs/{{{workflow.name}}.yaml")


def test_braces_in_a_platform_are_refused() -> None:
    kind = Accelerator(resource="nvidia.com/gpu", node_selector={"gpu": "{{workflow.name}}"})
    other = PLATFORM.model_copy(update={"spec": PLATFORM.spec.model_copy(update={"accelerators": {"gpu": kind}})})
    plan = make_plan("", {})
    step = replace(plan.steps[0], resources=replace(plan.steps[0].resources, accelerators=1, accelerator="gpu"))
    with pytest.raises(HubcError, match="template-braces: "):
        render(replace(plan, steps=(step,)), other)
