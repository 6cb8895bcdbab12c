"""One pipeline from data to the published model: killed in training, run on, reused, and changed in one place."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from local_project import Project, finish, kill, states, until
from local_teacher import Teacher

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

MORE = """\
  train: {num_epochs: 2, effective_batch_size: 4, learning_rate: 1e-2, resources: {nodes: 2}}
  evaluate: {suites: [{suite: held_out, max_new_tokens: 4}]}
  publish: {location: published/small, license: Apache-2.0}
"""
STEPS = ["generate", "evaluate-base", "train", "evaluate-tuned", "publish"]


@dataclass
class Story:
    """What happened, one run after the other, and what was seen in between."""

    project: Project
    killed: tuple[int, str, str]
    left_after_kill: list[Any]
    whole: subprocess.CompletedProcess[str]
    again: subprocess.CompletedProcess[str]
    plan: dict[str, Any]
    plan_text: str
    changed: subprocess.CompletedProcess[str]
    published: list[dict[str, tuple[int, bytes]]]
    runs: list[str]
    """Names, the oldest first."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Story]:
    teacher = Teacher()
    project = Project(tmp_path_factory.mktemp("whole") / "my repo", tiny_model, teacher.url)
    spec = project.spec(more=MORE, samples=2)
    process = project.start("run", spec)
    until(lambda: training(project), "training has started")
    kill(next(step for step in project.processes("/train") if "--request" in step.cmdline()))
    killed = finish(process)
    left = project.processes()
    whole = project.hubc("run", spec)
    published = [snapshot(project.folder / "published")]
    again = project.hubc("run", spec)
    published.append(snapshot(project.folder / "published"))
    project.spec(more=MORE.replace("max_new_tokens: 4", "max_new_tokens: 3"), samples=2)
    plan, plan_text = project.json("plan", spec), project.good("plan", spec)
    changed = project.hubc("run", spec, "--format", "json")
    published.append(snapshot(project.folder / "published"))
    runs = [run["id"] for run in reversed(project.json("list"))]
    yield Story(project, killed, left, whole, again, plan, plan_text, changed, published, runs)
    project.close()
    teacher.close()


def training(project: Project) -> bool:
    return any("hub_steps.train.worker" in process.cmdline() for process in project.processes("/train"))


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of every file in a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_step_killed_in_training_fails_the_run(story: Story) -> None:
    code, out, err = story.killed
    run = story.project.json("status", story.runs[0])
    assert (code, out, story.left_after_kill) == (3, "", [])
    assert states(run) == dict(zip(STEPS, ["succeeded", "succeeded", "failed", "cancelled", "cancelled"], strict=True))
    assert "step 'train' failed: killed by signal 9" in err
    assert f"all of it: hubc logs {run['id']} --step train" in err
    assert err.endswith("finished steps are kept: run it again to go on from here\n")
    assert "\nhubc: step 'train' failed" in err


def test_the_next_run_goes_on(story: Story) -> None:
    assert story.whole.returncode == 0, story.whole.stderr
    run = story.project.json("status", story.runs[1])
    assert states(run) == dict(zip(STEPS, ["reused", "reused", "succeeded", "succeeded", "succeeded"], strict=True))


def test_plain_lines_off_a_terminal(story: Story) -> None:
    lines = story.whole.stderr.splitlines()
    assert "\x1b" not in story.whole.stderr + story.whole.stdout
    assert re.match(rf"generate +reused: unchanged since {story.runs[0]}: \d+ pairs from \d+ requests", lines[0])
    assert any(re.match(r"train +starting torchrun on node 1 of 2$", line) for line in lines)
    assert any(re.match(r"train +(\d+)/\1 steps, loss \d", line) for line in lines)
    assert re.match(r"publish +succeeded \(\d+ s\): published to published/small \(", lines[-1])


def test_report(story: Story) -> None:
    text = story.whole.stdout
    assert text == "\n" + story.project.good("report", story.runs[1])
    assert text.startswith(f"\nRun {story.runs[1]}: succeeded\n")
    assert [line.split()[0] for line in text.splitlines()[3:8]] == STEPS
    assert re.search(r"^Training loss   [▁▂▃▄▅▆▇█]+  \d\.\d{3} -> \d\.\d{3}$", text, re.MULTILINE)
    assert re.search(r"^overall +\d+   \d+\.\d{3} -> \d+\.\d{3} (improved|regressed|no change)", text, re.MULTILINE)
    assert "Published: published/small\n" in text

    data = story.project.json("report", story.runs[1])
    assert list(data["results"]) == STEPS
    assert data["run"]["state"] == "succeeded"
    comparison = data["evaluations"]["evaluate-tuned"]["comparison"]["groups"]["overall"]["changes"]
    # The tuned model is said to be better if, and only if, it was measured.
    assert (comparison["nll"]["verdict"] == "improved") == (comparison["nll"]["tuned"] < comparison["nll"]["base"] - 0.01)
    assert len(data["trainings"]["train"]["loss"]) == data["results"]["train"]["metrics"]["steps"]


def test_published_folder(story: Story) -> None:
    folder = story.project.folder / "published" / "small"
    assert {"README.md", "CHANGELOG.md", "provenance.json", "loss_curve.png", "config.json", "model.safetensors"} <= {
        path.name for path in folder.iterdir()
    }
    provenance = json.loads((folder / "provenance.json").read_text())
    assert (provenance["run"], provenance["pipeline"]) == (story.runs[3], "small")


def test_running_again_reuses_every_step(story: Story) -> None:
    assert story.again.returncode == 0
    since = dict(zip(STEPS, [story.runs[0]] * 2 + [story.runs[1]] * 3, strict=True))
    run = story.project.json("status", story.runs[2])
    assert {step["id"]: step["reason"] for step in run["steps"]} == {
        name: f"unchanged since {run}" for name, run in since.items()
    }
    assert states(run) == dict.fromkeys(STEPS, "reused")
    assert len(story.again.stderr.splitlines()) == 5
    assert "Training loss" in story.again.stdout
    assert story.published[1] == story.published[0]


def test_plan_after_a_change_of_evaluation(story: Story) -> None:
    decisions = {step["id"]: step["decision"] for step in story.plan["steps"]}
    assert {name: decision["action"] for name, decision in decisions.items()} == {
        "generate": "reuse",
        "evaluate-base": "run",
        "train": "reuse",
        "evaluate-tuned": "run",
        "publish": "run",
    }
    trained = {name: decisions["train"][name] for name in ("action", "reason", "run", "changes")}
    assert trained == {"action": "reuse", "reason": f"unchanged since {story.runs[1]}", "run": story.runs[1], "changes": []}
    assert decisions["evaluate-base"]["reason"] == f"changed since {story.runs[0]}: suite.max_new_tokens 4 -> 3"
    assert decisions["evaluate-tuned"]["reason"] == (
        f"changed since {story.runs[1]}: suite.max_new_tokens 4 -> 3; input 'baseline'"
    )
    assert decisions["publish"]["reason"] == f"changed since {story.runs[1]}: input 'evaluation'"
    assert "To run: evaluate-base, evaluate-tuned, publish. To reuse: 2." in story.plan_text


def test_run_after_a_change_of_evaluation(story: Story) -> None:
    assert story.changed.returncode == 0
    facts = json.loads(story.changed.stdout)
    assert facts["run"]["id"] == story.runs[3]
    assert states(facts["run"]) == dict(zip(STEPS, ["reused", "succeeded", "reused", "succeeded", "succeeded"], strict=True))
    log = story.published[2]["small/CHANGELOG.md"][1].decode()
    assert log.count("\n## ") == 2
    assert log.index(story.runs[3]) < log.index(story.runs[1])


def test_list_and_status(story: Story) -> None:
    project = story.project
    lines = project.good("list").splitlines()
    assert [line.split()[:2] for line in lines] == [
        [story.runs[3], "succeeded"],
        [story.runs[2], "succeeded"],
        [story.runs[1], "succeeded"],
        [story.runs[0], "failed"],
    ]
    assert lines[3].split()[2:4] == ["2/5", "steps"]
    assert all(line.endswith("specs/small.yaml") for line in lines)
    assert project.json("status") == project.json("status", story.runs[3])
    assert project.good("status", story.runs[2]).startswith(f"{story.runs[2]}: succeeded\n  generate ")
    assert f"unchanged since {story.runs[0]}: " in project.good("status", story.runs[2])


def test_logs(story: Story) -> None:
    project = story.project
    every = project.good("logs", story.runs[1])
    train = project.good("logs", story.runs[1], "--step", "train")
    assert {line.split(" | ")[0] for line in every.splitlines()} == {"train/0", "train/1", "evaluate-tuned"}
    assert train == "".join(f"{line}\n" for line in every.splitlines() if line.startswith("train/"))
    assert "train/0 | saving the adapter and the merged model\n" in train
    assert '{"hubc"' not in every
    assert (
        f"generate was reused; its log: hubc logs {story.runs[0]} --step generate"
        in project.hubc("logs", story.runs[1], "--step", "generate").stderr
    )


@pytest.mark.parametrize("command", ["status", "logs", "report", "cancel", "delete"])
def test_unknown_run(story: Story, command: str) -> None:
    done = story.project.hubc(command, "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    newest = ", ".join(reversed(story.runs))
    assert done.stderr == f"hubc: no run 'nothing'; the newest: {newest}\n"


def test_unknown_step(story: Story) -> None:
    done = story.project.hubc("logs", story.runs[0], "--step", "trian")
    assert done.returncode == 2
    assert done.stderr == f"hubc: run '{story.runs[0]}' has no step 'trian'; it has: {', '.join(STEPS)}\n"


def test_damaged_training_is_found(story: Story) -> None:
    """A folder of the cache that lost a byte is not reused, and not shown as if it were whole."""
    project = story.project
    weights = next(project.outputs.glob("small/train/*/model/model.safetensors"))
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    try:
        plan = project.json("plan", "specs/small.yaml")
        decision = next(step["decision"] for step in plan["steps"] if step["id"] == "train")
        assert decision["action"] == "run"
        assert decision["reason"] == (
            f"its output is damaged: model/model.safetensors has {len(content) - 1} bytes instead of {len(content)}"
        )
        assert "train" not in project.json("report")["results"]
        assert "Training loss" not in project.good("report")
    finally:
        weights.write_bytes(content)
    assert "= train (train" in project.good("plan", "specs/small.yaml")


def test_damaged_publication_is_published_again(story: Story) -> None:
    project = story.project
    card = project.folder / "published" / "small" / "README.md"
    before = card.read_bytes()
    card.write_text("not the card\n")
    refused = project.hubc("run", "specs/small.yaml")
    assert refused.returncode == 3
    assert re.search(r"^publish +running: what it published .*: .*/README.md has 13 bytes", refused.stderr, re.MULTILINE)
    assert "'README.md' in " in refused.stderr and "was changed after it was published; move it away" in refused.stderr
    assert card.read_text() == "not the card\n"
    card.unlink()
    err = project.hubc("run", "specs/small.yaml").stderr
    assert re.search(r"^publish +succeeded \(\d+ s\): published to ", err, re.MULTILINE)
    assert card.read_bytes() == before
    assert (card.parent / "CHANGELOG.md").read_text().count("\n## ") == 2


def test_deleted_run_leaves_what_it_made(story: Story) -> None:
    project = story.project
    newest = project.newest()["id"]
    assert project.good("delete", story.runs[1]) == f"{story.runs[1]}: deleted; what its steps made stays for reuse\n"
    assert story.runs[1] not in [run["id"] for run in project.json("list")]
    project.good("run", "specs/small.yaml")
    assert states(project.newest()) == dict.fromkeys(STEPS, "reused")
    assert project.newest()["id"] != newest
