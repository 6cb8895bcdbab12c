"""The guide to the language: every example in it is good, and it leaves no section out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hubc.errors import SpecError
from hubc.source import parse_text
from hubc.spec.document import read_spec
from hubc.spec.pipeline import PipelineBody

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "specs.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"(?<=```yaml\n).*?(?=```)", GUIDE, re.DOTALL)
SECTION = "apiVersion: hubc/v1\nkind: Pipeline\npartial: true\nspec:\n"


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_is_good(text: str) -> None:
    if text.startswith("# yaml-language-server") and text.count("\n") == 1:
        return
    if "kind:" not in text:
        text = SECTION + re.sub("(?m)^", "  ", text)
    elif "extends:" in text:
        text = text.replace("extends: specs/bases/team.yaml", "partial: true")
    try:
        read_spec(parse_text(text, "guide.yaml"))
    except SpecError as error:
        pytest.fail("\n".join(map(str, error.diagnostics)))


def test_every_section_has_a_heading() -> None:
    headings = {word for line in re.findall(r"(?m)^### (.*)$", GUIDE) for word in line.split(", ")}
    assert set(PipelineBody.model_fields) == headings - {"resources"}


def test_every_example_spec_is_in_the_table() -> None:
    named = set(re.findall(r"(?m)^\| `([-a-z]+)` \|", GUIDE))
    assert named == {path.stem for path in (ROOT / "specs" / "pipelines").glob("*.yaml")}


def test_links_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", GUIDE) if "://" not in link]
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
