"""However a training is spread over processes, the same model comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import result, run
from trainrun import conversation, learn, train_request, write_data

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS: dict[str, Any] = {"num_epochs": 4, "learning_rate": 5e-3}


def spread(folder: Path, model: Path, rows: Path, **parameters: Any) -> tuple[Path, dict[str, Any]]:
    """Train on two processes, and return the output and the metrics."""
    request = train_request(
        folder, model, rows, lora_dropout=0.0, save_steps=None, save_total_limit=None, **SETTINGS, **parameters
    )
    done = run("train", request, PET_NPROC_PER_NODE="2")
    assert done.code == 0, done.stderr
    return folder / "out", result(folder / "out")["metrics"]


@pytest.mark.parametrize("algorithm", ["sft", "lora_sft"])
def test_ddp(algorithm: str, tmp_path: Path, model: Path) -> None:
    same(tmp_path, model, algorithm, {"strategy": "ddp"})


@pytest.mark.parametrize(("algorithm", "stage"), [("sft", 2), ("sft", 3), ("lora_sft", 2)])
def test_deepspeed(algorithm: str, stage: int, tmp_path: Path, model: Path) -> None:
    pytest.importorskip("deepspeed")
    same(tmp_path, model, algorithm, {"strategy": "deepspeed", "zero_stage": stage})


def same(folder: Path, model: Path, algorithm: str, parallelism: dict[str, Any]) -> None:
    """Check that two processes make of the data what one makes of it."""
    from safetensors.torch import load_file

    rows = write_data(folder / "rows.jsonl", [conversation(*pair) for pair in animals.QUESTIONS[:8]])
    trained = {
        "one": learn(folder / "one", model, rows, algorithm=algorithm, **SETTINGS),
        "two": spread(folder / "two", model, rows, algorithm=algorithm, parallelism=parallelism),
    }
    one, two = (metrics for _, metrics in trained.values())
    assert one["trainable_parameters"] == two["trainable_parameters"]
    assert two["last_loss"] < two["first_loss"] - 0.1
    assert one["last_loss"] == pytest.approx(two["last_loss"], abs=2e-3)
    whole, parts = (load_file(output / "model" / "model.safetensors") for output, _ in trained.values())
    assert whole.keys() == parts.keys()
    for name, weight in whole.items():
        assert (weight.float() - parts[name].float()).abs().max() < 5e-3, name
