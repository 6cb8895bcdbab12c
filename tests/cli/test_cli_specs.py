"""The commands that read specs: validate, plan, render, schema and init, with their exit codes and both formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Hubc

GOLDEN = Path(__file__).parent / "golden"
SPEC = "specs/pipelines/quickstart.yaml"
STEPS = ["generate", "evaluate-base", "train", "evaluate-tuned", "publish"]


def break_spec(repo: Path) -> None:
    path = repo / SPEC
    path.write_text(
        path.read_text().replace("num_epochs: 3", "num_epoch: 3").replace("learning_rate: 0.0005", "learning_rate: -1")
    )


def test_validate_good(hubc: Hubc) -> None:
    done = hubc("validate", SPEC)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 file is good\n", "")
    every = hubc("validate")
    assert (every.returncode, every.stderr) == (0, "")
    assert every.stdout.endswith(" files are good\n")
    assert hubc("validate", SPEC, "--format", "json").stdout == "[]\n"


def test_validate_bad(hubc: Hubc, repo: Path) -> None:
    break_spec(repo)
    done = hubc("validate", SPEC)
    lines = [line for line in done.stderr.splitlines() if line.startswith(f"{SPEC}:")]
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.rpartition("[")[2] for line in lines] == ["unknown-key]", "invalid-value]"]
    assert "did you mean 'num_epochs'?" in done.stderr

    found = json.loads(hubc("validate", SPEC, "--format", "json").stdout)
    assert {key for entry in found for key in entry} == {
        "file", "line", "column", "length", "severity", "rule", "message", "help"}  # fmt: skip
    assert [
        f"{entry['file']}:{entry['line']}:{entry['column']}: {entry['severity']}: {entry['message']} [{entry['rule']}]"
        for entry in found
    ] == lines


@pytest.mark.parametrize("command", ["validate", "plan", "render", "run", "submit"])
def test_missing_spec(hubc: Hubc, command: str) -> None:
    done = hubc(command, "specs/nothing.yaml", *(["--platform", "local"] if command == "submit" else []))
    assert (done.returncode, done.stdout) == (1, "")
    first = "specs/nothing.yaml:1:1: error: cannot read the file: No such file or directory [unreadable-file]\n"
    assert done.stderr.startswith(first)


@pytest.mark.parametrize("command", ["plan", "render", "run"])
def test_bad_spec(hubc: Hubc, repo: Path, command: str) -> None:
    break_spec(repo)
    done = hubc(command, SPEC)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count(SPEC) == 2


def test_plan(hubc: Hubc, golden: Callable[[Path, str], None]) -> None:
    done = hubc("plan", SPEC)
    assert (done.returncode, done.stderr) == (0, "")
    golden(GOLDEN / "quickstart.local.plan.txt", done.stdout)


def test_plan_for_a_cluster(hubc: Hubc, golden: Callable[[Path, str], None]) -> None:
    done = hubc("plan", SPEC, "--platform", "example-cluster")
    assert (done.returncode, done.stderr) == (0, "")
    golden(GOLDEN / "quickstart.example-cluster.plan.txt", done.stdout)
    assert hubc("plan", SPEC, "--platform", "specs/platforms/example-cluster.yaml").stdout == done.stdout


def test_plan_for_programs(hubc: Hubc) -> None:
    here = json.loads(hubc("plan", SPEC, "--format", "json").stdout)
    there = json.loads(hubc("plan", SPEC, "--format", "json", "--platform", "example-cluster").stdout)
    assert [step["id"] for step in here["steps"]] == [step["id"] for step in there["steps"]] == STEPS
    never = {"action": "run", "reason": "never finished before", "run": None, "finished_at": None, "changes": []}
    assert [step["decision"] for step in here["steps"]] == [never] * 5
    assert [step["decision"] for step in there["steps"]] == [None] * 5
    assert [step["key"] for step in here["steps"]] == [step["key"] for step in there["steps"]]
    assert (len(here["digest"]), here["digest"] == there["digest"]) == (64, False)


def test_platform_that_is_unknown(hubc: Hubc) -> None:
    done = hubc("plan", SPEC, "--platform", "moon")
    assert done.returncode == 2
    assert done.stderr == (
        "hubc: no platform 'moon': there is no specs/platforms/moon.yaml; known: "
        "example-cluster, kind, kubernetes-gpu, local, openshift-ai, single-node-4xh100, workstation\n"
    )


def test_render_twice(hubc: Hubc, repo: Path) -> None:
    shown = hubc("render", SPEC)
    assert shown.returncode == 0
    assert shown.stdout.startswith('apiVersion: "argoproj.io/v1alpha1"\n')
    written = hubc("render", SPEC, "--platform", "example-cluster", "-o", "workflow.yaml")
    assert (written.returncode, written.stdout) == (0, "")
    assert (repo / "workflow.yaml").read_bytes() == shown.stdout.encode()


def test_render_where_nothing_can_be_written(hubc: Hubc) -> None:
    done = hubc("render", SPEC, "-o", "no/folder/workflow.yaml")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.endswith("hubc: No such file or directory: no/folder/workflow.yaml\n")


def test_schema(hubc: Hubc, repo: Path) -> None:
    assert sorted(hubc("schema").stdout.splitlines()) == [
        "schemas/generation-pipeline.schema.json",
        "schemas/knowledge-leaf.schema.json",
        "schemas/pipeline.schema.json",
        "schemas/plan.schema.json",
        "schemas/platform.schema.json",
    ]
    good = hubc("schema", "--check")
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    stale = repo / "schemas" / "platform.schema.json"
    stale.write_text("{}\n")
    done = hubc("schema", "--check")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "hubc: missing or stale: schemas/platform.schema.json; write them with 'hubc schema'\n"
    assert stale.read_text() == "{}\n"


def test_init(hubc: Hubc, repo: Path) -> None:
    done = hubc("init", "moon")
    assert (done.returncode, done.stderr) == (0, "")
    spec, leaf = "specs/pipelines/moon.yaml", "specs/taxonomy/moon/knowledge/moon/qna.yaml"
    assert done.stdout.splitlines()[:2] == [f"wrote {spec}", f"wrote {leaf}"]
    assert hubc("validate", spec, leaf).returncode == 0
    assert hubc("plan", spec).stdout.startswith("moon on local: 5 steps, plan ")
    (repo / spec).write_text("mine\n")
    again = hubc("init", "moon")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == f"hubc: {spec} exists; choose another name, or move it away\n"
    assert (repo / spec).read_text() == "mine\n"


def test_what_is_unavailable_is_rendered_and_not_run(hubc: Hubc) -> None:
    """Only what starts something refuses the plan, before anything starts, and with the message of the warning."""
    spec = "specs/pipelines/large-model.yaml"
    message = f"{spec}:34:5: {{}}: this version cannot publish to the Hugging Face Hub [unavailable]"
    rendered = hubc("render", spec)
    assert (rendered.returncode, rendered.stdout.count('kind: "Workflow"\n')) == (0, 1)
    assert message.format("warning") in rendered.stderr
    assert "this version cannot publish to the Hugging Face Hub" in hubc("plan", spec).stdout
    for command in (["run", spec], ["submit", spec, "--platform", "local"]):
        done = hubc(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert message.format("error") in done.stderr
        assert "which platform 'local' emulates on the CPU [emulated-accelerator]" in done.stderr


def test_submit_of_a_plan_that_was_not_expected(hubc: Hubc) -> None:
    is_now = json.loads(hubc("plan", SPEC, "--format", "json").stdout)["digest"]
    expected = "0123456789ab" + "0" * 52
    done = hubc("submit", SPEC, "--platform", "local", "--expect-digest", f"sha256:{expected}")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"  expected {expected}\n  it is    {is_now}\n" in done.stderr
    assert f"hubc plan {SPEC} --platform local --against REV" in done.stderr


def test_report_of_a_cluster_says_what_it_lacks(hubc: Hubc) -> None:
    done = hubc("report", "--platform", "example-cluster")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the storage of platform 'example-cluster' is not on this machine" in done.stderr
