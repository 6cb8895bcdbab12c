"""A real cluster: what the tests here need of it, and what says that there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

CONTEXT = os.environ.get("HUBC_E2E_CONTEXT")
IMAGES = os.environ.get("HUBC_E2E_IMAGES")
"""File with what `steps/images.sh` printed."""
SMALL = {"cpus": 1, "memory_gib": 3, "timeout_minutes": 20}


@dataclass(frozen=True)
class Project:
    """A repository whose pipelines go to the cluster."""

    folder: Path

    def hubc(self, *words: str, code: int = 0) -> str:
        """Return what a command prints; it must exit with `code`."""
        command = [sys.executable, "-m", "hubc", *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Return the run that a command shows."""
        found: dict[str, Any] = json.loads(self.hubc(*words, "--platform", "e2e", "--format", "json", code=code))
        return found

    def pipeline(self, name: str, **generate: Any) -> str:
        """Write the quickstart in small, under another name, and return its path."""
        spec = yaml.safe_load((self.folder / "specs/pipelines/quickstart.yaml").read_text(encoding="utf-8"))
        spec["metadata"]["name"] = name
        body = spec["spec"]
        body["generate"] |= {"samples_per_seed": 1, "max_tokens": 48, "resources": SMALL, **generate}
        body["train"] |= {"num_epochs": 1, "resources": {**SMALL, "nodes": 2}}
        body["evaluate"] = {"suites": [{"suite": "held_out", "max_new_tokens": 8}], "resources": SMALL}
        body["publish"] |= {"location": f"published/{name}", "resources": SMALL}
        path = self.folder / f"specs/pipelines/{name}.yaml"
        path.write_text(yaml.safe_dump(spec), encoding="utf-8")
        return str(path)


@pytest.fixture
def project(repo: Path) -> Project:
    """Make a repository with a platform `e2e`: kind with the images under test."""
    if CONTEXT is None:
        pytest.skip("HUBC_E2E_CONTEXT names no context of a kubeconfig")
    argo: dict[str, Any] = {"context": CONTEXT}
    if IMAGES is not None:
        argo |= yaml.safe_load(Path(IMAGES).read_text(encoding="utf-8"))
    spec = {"apiVersion": "hubc/v1", "kind": "Platform", "extends": "specs/platforms/kind.yaml"}
    spec |= {"metadata": {"name": "e2e", "description": "The cluster under test."}, "spec": {"argo": argo}}
    (repo / "specs/platforms/e2e.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return Project(repo)
