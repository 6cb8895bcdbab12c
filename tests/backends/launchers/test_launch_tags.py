"""Only hubc's own tags are tags: no text becomes one, wherever it stands in a pod."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainings import RETRY, training_pod

from hubc.backends.argo.launchers import launch
from hubc.backends.argo.tags import Tag, Tagged, tagged, to_manifest, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubc.spec.cluster import Argo

HOSTILE = st.one_of(
    st.text(),
    st.text(alphabet="{}=.$\\\"' \n", max_size=12),
    st.sampled_from([str(tag) for tag in Tag]),
    st.builds(
        lambda left, inner, right: left + inner + right, st.text(), st.sampled_from(["{{", "}}", "{{=1}}"]), st.text()
    ),
)
DATA = st.recursive(
    HOSTILE | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(HOSTILE, inner, max_size=4),
    max_leaves=12,
)


def tags(text: str) -> set[str]:
    return set(re.findall(r"\{\{.*?\}\}", text))


@given(data=DATA)
def test_no_text_becomes_a_tag(data: Any) -> None:
    text = to_manifest({"data": data})
    # A nested object ends in braces of its own: what opens a tag is what counts.
    assert "{{" not in text
    assert json.loads(text) == {"data": data}


@given(before=HOSTILE, after=HOSTILE)
def test_text_beside_a_tag_stays_text(before: str, after: str) -> None:
    text = to_manifest([tagged(before, Tag.RUN, after)])
    assert tags(text) == {"{{workflow.name}}"}
    assert json.loads(text.replace("{{workflow.name}}", "run")) == [f"{before}run{after}"]


@given(texts=st.lists(HOSTILE, min_size=3, max_size=3))
def test_no_pod_brings_its_own_tag(texts: list[str], argo_of: Callable[..., Argo]) -> None:
    pod = training_pod()
    (container,) = pod.spec["containers"]
    env = [*container["env"], {"name": texts[0], "value": texts[1]}]
    hostile = training_pod(
        spec={**pod.spec, "containers": [{**container, "env": env}]}, labels={**pod.labels, "note": texts[2]}
    )
    for kind in ("jobset", "trainjob", "pytorchjob", "job"):
        for template in launch("train", hostile, argo_of(kind), retry=RETRY):
            if "resource" in template:
                assert tags(template["resource"]["manifest"]) <= {str(tag) for tag in Tag}


def test_only_names_are_substituted(templates: list[dict[str, Any]]) -> None:
    known = {str(tag) for tag in Tag} | {
        "{{steps.lost.outputs.parameters.lost}}",
        "{{steps.wait.status}}",
        "{{steps.again-1.status}}",
    }
    assert tags(json.dumps(templates).replace("}}}", "}} }")) <= known


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (Tag.JOB, "{{inputs.parameters.job}}"),
        (tagged("a", Tag.STEP, "b"), "a{{inputs.parameters.step}}b"),
        ({"a": [Tag.RUN, 1, None]}, {"a": ["{{workflow.name}}", 1, None]}),
        (Tagged(()), ""),
    ],
)
def test_text_for_fields_of_templates(data: Any, text: Any) -> None:
    assert to_text(data) == text
