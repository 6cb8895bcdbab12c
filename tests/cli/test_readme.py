"""What the README shows is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hubc.cli import main

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_spec_is_the_quickstart() -> None:
    assert (TOP / "specs/pipelines/quickstart.yaml").read_text(encoding="utf-8") in README


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
    commands = re.findall(r"^    ([a-z]+) ", capsys.readouterr().out, re.MULTILINE)
    assert "validate" in commands
    assert [command for command in commands if not re.search(rf"`(hubc )?{command}\b", README)] == []
