"""Real steps on a real cluster, through the command line: .github/workflows/e2e.yaml says how to get one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]
STEPS = {"generate", "evaluate-base", "train", "evaluate-tuned", "publish"}


def left(run: str, kinds: str, *selected: str) -> str:
    """Return what the cluster still has of a run."""
    command = ["kubectl", "--context", os.environ["HUBC_E2E_CONTEXT"], "--namespace", "hubc", "get", kinds]
    command += ["--output", "name", "--selector", f"workflows.argoproj.io/workflow={run}", *selected]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_run_from_preflight_to_reuse(project: Project) -> None:
    project.hubc("doctor", "--platform", "e2e")
    spec = project.pipeline("small")
    first = project.run("submit", spec)["id"]
    done = project.run("wait", first, "--timeout", "3000")
    states = {step["id"]: step["state"] for step in done["steps"]}
    assert (done["state"], states) == ("succeeded", dict.fromkeys(STEPS, "succeeded"))
    assert first in project.hubc("list", "--platform", "e2e")
    assert "train" in project.hubc("logs", first, "--step", "train", "--platform", "e2e")
    assert not left(first, "jobsets.jobset.x-k8s.io"), "the training's object goes when the run has ended"

    # The same plan is not started again; one that differs at the end runs its end only.
    assert project.run("submit", spec)["id"] == first
    text = Path(spec).read_text(encoding="utf-8")
    Path(spec).write_text(text.replace("SmolLM2 that knows hubc", "Another title"), encoding="utf-8")
    second = project.run("submit", spec, "--wait")
    states = {step["id"]: step["state"] for step in second["steps"]}
    assert states == {**dict.fromkeys(STEPS, "reused"), "publish": "succeeded"}

    project.hubc("delete", first, "--platform", "e2e")
    project.hubc("status", first, "--platform", "e2e", code=2)


def test_a_cancelled_run_leaves_nothing_running(project: Project) -> None:
    run = project.run("submit", project.pipeline("cancelled", samples_per_seed=30))["id"]
    assert project.run("cancel", run)["state"] == "cancelled"
    assert not left(run, "pods", "--field-selector=status.phase=Running")
    assert not left(run, "jobsets.jobset.x-k8s.io")
    project.hubc("delete", run, "--platform", "e2e")
    assert not left(run, "pods,workflows.argoproj.io")
