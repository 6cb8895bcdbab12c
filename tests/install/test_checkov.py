"""checkov's Kubernetes checks on rendered pods, beside the network policies that they live with.

checkov wants versions of its own of what it depends on: HUBC_CHECKOV names its program in a virtual environment apart,
which `make checkov` makes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from rendered_pods import pods, to_yaml
from rendered_specs import rendered

ROOT = Path(__file__).resolve().parents[2]
EXPLAINED = ROOT / "tests/data/checkov.yaml"
POLICIES = ROOT / "argo/install/base/network-policies.yaml"
RENDERINGS = [
    *((platform, "quickstart") for platform in ("example-cluster", "kind", "kubernetes-gpu", "single-node-4xh100")),
    ("openshift-ai", "knowledge-and-skills"),
]


def test_checkov_finds_nothing_but_what_is_explained(tmp_path: Path) -> None:
    program = os.environ.get("HUBC_CHECKOV") or shutil.which("checkov")
    if program is None:
        pytest.skip("checkov is not installed: make checkov")
    found = _findings(program, tmp_path / "pods.yaml", _all_pods())
    explained: dict[str, str] = yaml.safe_load(EXPLAINED.read_text(encoding="utf-8"))
    assert {id: where for id, where in found.items() if id not in explained} == {}
    assert set(explained) == set(found), "an explanation is stale"


def _all_pods() -> list[dict[str, Any]]:
    found = []
    for platform, pipeline in RENDERINGS:
        for pod in pods(rendered(platform, pipeline)):
            pod["metadata"]["name"] += f"-{platform}"
            found.append(pod)
    return found


def _findings(program: str, path: Path, pods: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return id of each check that fails -> pods that it fails for."""
    path.write_text(f"{to_yaml(pods)}---\n{POLICIES.read_text(encoding='utf-8')}", encoding="utf-8")
    command = [program, "--skip-download", "--framework", "kubernetes", "--file", str(path), "--quiet", "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path.parent, env=_alone())
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > len(pods)
    found: dict[str, list[str]] = {}
    for check in report["results"]["failed_checks"]:
        found.setdefault(check["check_id"], []).append(check["resource"])
    return found


def _alone() -> dict[str, str]:
    """Return an environment in which checkov finds its own packages, and not this project's."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
