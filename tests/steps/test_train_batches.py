"""Batches: how many samples fit, and that samples which share a sequence do not see each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import animals
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trainrun import conversation, data, learn, write_data

from hub_steps.models.load import load_model, load_tokenizer
from hub_steps.parameters import TrainStepParameters
from hub_steps.train.batches import PackingCollator, PaddingCollator, bins, micro_batch_size
from hub_steps.train.data import read_data

if TYPE_CHECKING:
    from pathlib import Path


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(50, 200))
def test_bins_hold_everything_and_no_more(lengths: list[int], capacity: int) -> None:
    found = bins(lengths, capacity)
    assert sorted(size for bin in found for size in bin) == sorted(lengths)
    assert all(0 < sum(bin) <= capacity for bin in found)
    assert len(found) <= 2 * sum(lengths) / capacity + 1


@pytest.mark.parametrize(
    ("lengths", "parameters", "per_process", "wanted"),
    [
        ([10] * 8, {}, 8, 4),
        ([10] * 8, {}, 6, 3),
        ([10] * 8, {}, 7, 1),
        ([10] * 8, {"max_tokens_per_gpu": 20}, 8, 2),
        ([10, 10, 10, 40], {"max_tokens_per_gpu": 100}, 8, 2),
        ([10] * 8, {"packing": True, "max_seq_len": 40, "micro_batch_size": 1}, 8, 4),
        ([10] * 8, {"packing": True, "max_seq_len": 40, "micro_batch_size": 2}, 8, 8),
        ([10] * 8, {"packing": True, "max_seq_len": 40, "max_tokens_per_gpu": 40}, 8, 4),
        ([10] * 8, {"algorithm": "dpo", "max_tokens_per_gpu": 40}, 8, 2),
    ],
)
def test_micro_batch(lengths: list[int], parameters: dict[str, Any], per_process: int, wanted: int) -> None:
    samples = [{"input_ids": [1] * length} for length in lengths]
    if parameters.get("algorithm") == "dpo":
        samples = [{"prompt_ids": [1], "chosen_ids": [1] * (length - 1), "rejected_ids": [1]} for length in lengths]
    assert micro_batch_size(samples, TrainStepParameters(**parameters), per_process) == wanted


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("one_sequence", [False, True])
def test_packed_samples_do_not_see_each_other(attention: str, one_sequence: bool, tmp_path: Path, model: Path) -> None:
    import torch

    tokenizer = load_tokenizer(model)
    parameters = TrainStepParameters(max_seq_len=128)
    samples = read_data(data(tmp_path), tokenizer, parameters).train
    network = load_model(model, attn_implementation=attention).eval()
    batches = {
        "padded": PaddingCollator(tokenizer.pad_token_id)(samples),
        "packed": PackingCollator(128, tokenizer.pad_token_id, one_sequence)(samples),
    }
    assert len(batches["packed"]["input_ids"]) < len(samples) / 2
    losses = {}
    with torch.inference_mode():
        positions = torch.arange(batches["packed"]["input_ids"].shape[1]).expand_as(batches["packed"]["input_ids"])
        for name, batch in {**batches, "joined": {**batches["packed"], "position_ids": positions}}.items():
            losses[name] = network(**batch, use_cache=False).loss.item()
    assert losses["packed"] == pytest.approx(losses["padded"], abs=1e-5)
    assert abs(losses["joined"] - losses["padded"]) > 1e-4, "samples that see each other have another loss"


def test_packed_training_is_the_same_training(tmp_path: Path, model: Path) -> None:
    from safetensors.torch import load_file

    rows = write_data(tmp_path / "rows.jsonl", [conversation(*pair) for pair in animals.QUESTIONS])
    found = {}
    for name, packing in {"padded": False, "packed": True}.items():
        (tmp_path / name).mkdir()
        output, summary = learn(
            tmp_path / name, model, rows, algorithm="sft", num_epochs=2, validation_split=0.2, packing=packing
        )
        found[name] = load_file(output / "model" / "model.safetensors"), summary
    for figure in ("first_loss", "last_loss", "validation_loss"):
        assert found["packed"][1][figure] == pytest.approx(found["padded"][1][figure], abs=1e-4)
    for name, weight in found["packed"][0].items():
        assert (weight.float() - found["padded"][0][name].float()).abs().max() < 1e-3
