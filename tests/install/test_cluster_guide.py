"""docs/cluster.md: what it names is there, and its versions are those that are tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hubc.cli import main

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"(?m)^\$ (.+)$", GUIDE)


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", GUIDE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_commands_name_files_that_exist() -> None:
    named = [word for command in COMMANDS for word in re.findall(r"(?:argo|specs|steps|tests)/[-./\w]+", command)]
    assert named
    # Addresses on the web have such paths, too.
    own = [path for path in named if not any(f"/{path}" in command for command in COMMANDS)]
    assert [path for path in own if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("name", ["argo-workflows", "jobset"])
def test_versions_are_those_of_the_cluster_tests(name: str) -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/e2e.yaml").read_text(encoding="utf-8"))
    tried = workflow["jobs"]["kind"]["env"]["ARGO" if name == "argo-workflows" else "JOBSET"]
    assert re.findall(rf"/{name}/releases/download/(v[\d.]+)/", GUIDE) == [tried]


def test_hubc_has_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for command in sorted({line.split()[1] for line in COMMANDS if line.startswith("hubc ")}):
        with pytest.raises(SystemExit) as end:
            main([command, "--help"])
        assert end.value.code == 0, command
    capsys.readouterr()
