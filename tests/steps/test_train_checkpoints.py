"""Checkpoints that are kept, the best one, and validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from steprun import rows
from trainrun import data, learn

from hub_steps.train.keep import Policy

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def kept(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "checkpoints").iterdir())


def test_policy() -> None:
    from hub_steps.parameters import TrainStepParameters

    steps = {samples: Policy.of(TrainStepParameters(save_samples=samples)).every_steps for samples in (1, 8, 9, 80)}
    assert steps == {1: 1, 8: 1, 9: 2, 80: 10}


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"checkpoint_at_epoch": True}, ["checkpoint-2", "checkpoint-4", "checkpoint-6"]),
        ({"checkpoint_at_epoch": True, "save_total_limit": 1}, ["checkpoint-6"]),
        ({"save_steps": 4}, ["checkpoint-4"]),
        ({"save_samples": 20, "save_total_limit": 5}, ["checkpoint-3", "checkpoint-6"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_kept_checkpoints(parameters: dict[str, Any], wanted: list[str], tmp_path: Path, model: Path) -> None:
    output, _ = learn(tmp_path, model, data(tmp_path), num_epochs=3, **parameters)
    assert kept(output) == wanted
    assert all((output / "checkpoints" / name / "optimizer.pt").is_file() for name in wanted)


def test_checkpoints_without_the_optimizer_are_models(tmp_path: Path, model: Path) -> None:
    from safetensors.torch import load_file

    from hub_steps.models.load import load_model, load_tokenizer

    chosen = {"algorithm": "sft", "checkpoint_at_epoch": True, "accelerate_full_state_at_epoch": False}
    output, _ = learn(tmp_path, model, data(tmp_path), num_epochs=2, **chosen)
    newest = output / "checkpoints" / "checkpoint-4"
    assert not [path for path in newest.iterdir() if path.suffix not in (".json", ".safetensors", ".jinja")]
    assert load_tokenizer(newest).chat_template
    load_model(newest)
    final, whole = (load_file(folder / "model.safetensors") for folder in (output / "model", newest))
    assert all((weight.float() - whole[name]).abs().max() < 0.01 for name, weight in final.items())


def test_no_checkpoints_unless_asked_for(tmp_path: Path, model: Path) -> None:
    output, _ = learn(tmp_path, model, data(tmp_path), num_epochs=1)
    assert not (output / "checkpoints").exists()


@pytest.mark.parametrize("algorithm", ["sft", "lora_sft", "osft"])
def test_best_checkpoint_becomes_the_model(algorithm: str, tmp_path: Path, model: Path) -> None:
    """A high learning rate soon learns by heart, so that the loss on what was not learned rises again."""
    from safetensors.torch import load_file

    parameters = {
        "algorithm": algorithm, "num_epochs": 8, "learning_rate": 0.03, "validation_split": 0.2, "validation_frequency": 2,
        "save_steps": 2, "keep": "best",
    }  # fmt: skip
    output, summary = learn(tmp_path, model, data(tmp_path), **parameters)
    measured = {row["step"]: row["validation_loss"] for row in rows(output / "metrics.jsonl") if "validation_loss" in row}
    assert sorted(measured) == list(range(2, 17, 2))
    best = min(measured, key=lambda step: measured[step])
    assert best < 16, "otherwise this test shows nothing"
    assert (summary["best_step"], summary["validation_loss"]) == (best, measured[best])
    assert (summary["samples"], summary["validation_samples"]) == (12, 3)
    name, made = ("model.safetensors", "scratch/trained") if algorithm == "sft" else ("adapter_model.safetensors", "adapter")
    saved, wanted = (load_file(output / folder / name) for folder in (made, f"checkpoints/checkpoint-{best}"))
    assert all((saved[key] == wanted[key]).all() for key in wanted)


def test_validation_after_every_epoch(tmp_path: Path, model: Path) -> None:
    output, summary = learn(tmp_path, model, data(tmp_path), num_epochs=3, validation_split=0.2)
    history = rows(output / "metrics.jsonl")
    assert [row["step"] for row in history] == [1, 2, 3, 4, 5, 6]
    assert [row["step"] for row in history if "validation_loss" in row] == [2, 4, 6]
    assert summary["validation_loss"] == history[-1]["validation_loss"]
    assert "best_step" not in summary
