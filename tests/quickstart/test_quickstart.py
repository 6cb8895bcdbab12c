"""The quickstart itself, end to end, on a smaller copy of its spec: a real teacher, a real model, two nodes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parents[2]
SMALLER = {"samples_per_seed: 10": "samples_per_seed: 4", "max_new_tokens: 48": "max_new_tokens: 8"}
"""What the copy asks for instead, to take a fraction of the time."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the quickstart, made smaller, and one of its two leaves."""
    folder = tmp_path_factory.mktemp("clone")
    (folder / ".git").mkdir()
    shutil.copytree(TOP / "specs", folder / "specs")
    shutil.rmtree(folder / "specs/taxonomy/knowledge/software/hubc/runs")
    spec = folder / "specs/pipelines/quickstart.yaml"
    text = spec.read_text(encoding="utf-8")
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    spec.write_text(text, encoding="utf-8")
    return folder


def hubc(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one hubc command in the clone."""
    command = [sys.executable, "-m", "hubc", *arguments]
    return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False, timeout=280)


@pytest.fixture(scope="module")
def first(clone: Path) -> dict[str, Any]:
    """The facts of the first run."""
    done = hubc(clone, "run", "specs/pipelines/quickstart.yaml", "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and time of every file."""
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_tuned_model_is_measured_better_on_held_out_questions(first: dict[str, Any]) -> None:
    overall = first["evaluations"]["evaluate-tuned"]["comparison"]["groups"]["overall"]
    assert overall["num_questions"] == 15
    assert overall["changes"]["nll"]["tuned"] < overall["changes"]["nll"]["base"]
    assert overall["changes"]["nll"]["verdict"] == "improved"
    loss = first["trainings"]["train"]["loss"]
    assert loss[-1] < loss[0]


def test_human_written_pairs_never_enter_training(first: dict[str, Any], clone: Path) -> None:
    [data] = clone.glob(".hubc/outputs/quickstart/generate/*/train.jsonl")
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == first["results"]["generate"]["metrics"]["kept"] == first["results"]["train"]["metrics"]["samples"]
    [evaluation] = clone.glob(".hubc/outputs/quickstart/evaluate-tuned/*/evaluation.json")
    held_out = {(answer["question"], answer["reference"]) for answer in json.loads(evaluation.read_text())["answers"]}
    assert held_out.isdisjoint({(row["messages"][0]["content"], row["messages"][1]["content"]) for row in rows})


def test_published_folder_loads_and_answers(first: dict[str, Any], clone: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = clone / "published/quickstart"
    assert first["results"]["publish"]["metrics"]["location"] == folder.as_uri()
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    question = [{"role": "user", "content": "What is hubc?"}]
    inputs = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    assert output.shape[1] > inputs["input_ids"].shape[1]
    card = (folder / "README.md").read_text(encoding="utf-8")
    overall = first["evaluations"]["evaluate-tuned"]["comparison"]["groups"]["overall"]["changes"]["nll"]
    assert f"| {overall['base']:.3f} | {overall['tuned']:.3f} | improved |" in card
    assert (folder / "loss_curve.png").read_bytes().startswith(b"\x89PNG")


def test_second_run_repeats_nothing_and_says_why(first: dict[str, Any], clone: Path) -> None:
    before = snapshot(clone / "published")
    done = hubc(clone, "run", "specs/pipelines/quickstart.yaml")
    assert done.returncode == 0, done.stderr
    reused = re.findall(rf"^(\S+) +reused: unchanged since {first['run']['id']}", done.stderr, re.MULTILINE)
    assert reused == ["generate", "evaluate-base", "train", "evaluate-tuned", "publish"]
    assert snapshot(clone / "published") == before


def test_changed_evaluation_runs_only_evaluation_and_publishing(first: dict[str, Any], clone: Path) -> None:
    spec = clone / "specs/pipelines/quickstart.yaml"
    changed = spec.with_name("changed.yaml")
    changed.write_text(spec.read_text(encoding="utf-8").replace("max_new_tokens: 8", "max_new_tokens: 4"), encoding="utf-8")
    done = hubc(clone, "run", str(changed), "--format", "json")
    assert done.returncode == 0, done.stderr
    states = {step["id"]: step["state"] for step in json.loads(done.stdout)["run"]["steps"]}
    assert states == {"generate": "reused", "train": "reused", "evaluate-base": "succeeded",
                      "evaluate-tuned": "succeeded", "publish": "succeeded"}  # fmt: skip
    log = (clone / "published/quickstart/CHANGELOG.md").read_text(encoding="utf-8")
    assert log.count("<!-- release ") == 2


def test_nothing_of_the_runs_is_left(first: dict[str, Any], clone: Path) -> None:
    import psutil

    left = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("HUBC_OWNER", "").startswith(str(clone)):
                left.append(process)
    assert left == []
