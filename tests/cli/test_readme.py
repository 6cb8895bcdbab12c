"""What the README shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubc.cli import main

if TYPE_CHECKING:
    from conftest import Hubc

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_spec_is_the_quickstart() -> None:
    assert (TOP / "specs/pipelines/quickstart.yaml").read_text(encoding="utf-8") in README


def test_plan_is_what_plan_shows() -> None:
    assert (TOP / "tests/cli/golden/quickstart.local.plan.txt").read_text(encoding="utf-8").strip() in README


def test_explanation_is_what_explain_shows(hubc: Hubc) -> None:
    assert hubc("explain", "spec.train.lora_r").stdout.strip() in README


def test_errors_are_what_validate_shows(hubc: Hubc, repo: Path) -> None:
    hubc("init", "moon")
    spec = repo / "specs" / "pipelines" / "moon.yaml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text.replace("    learning_rate:", "    learnin_rate:").replace("num_epochs: 3\n", "num_epochs: 3.5\n"))
    assert hubc("validate", "specs/pipelines/moon.yaml").stderr.strip() in README


def test_graph_is_part_of_the_rendering() -> None:
    shown = re.search(r"```yaml\n# …\n(.*?\n)# …\n```", README, re.DOTALL)
    assert shown
    assert shown[1] in (TOP / "tests/backends/golden/quickstart.example-cluster.yaml").read_text(encoding="utf-8")


def test_every_file_it_links_to_exists() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (TOP / link).exists()] == []


def test_every_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    ([a-z]+)\b", capsys.readouterr().out, re.MULTILINE)
    assert "validate" in commands
    assert [command for command in commands if not re.search(rf"`(hubc )?{command}\b", README)] == []
