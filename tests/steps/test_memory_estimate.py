"""Estimated memory against what PyTorch keeps, tensor by tensor, and against the resident memory of real trainings."""

from __future__ import annotations

import importlib.util
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers

from hubc.estimates.activations import activation_bytes
from hubc.estimates.model_shape import parse_shape
from hubc.estimates.training import Training

# PEFT asks Transformers by a name that is about to go.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "memory.py"
SIZES = {
    "vocab_size": 500, "hidden_size": 256, "intermediate_size": 640, "num_attention_heads": 8, "num_key_value_heads": 2,
    "max_position_embeddings": 512, "pad_token_id": 0,
}  # fmt: skip
BATCH, LENGTH = 2, 128
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {}, "qwen3": {"head_dim": 32}, "gemma2": {"head_dim": 32}, "gemma3_text": {"head_dim": 32}, "phi3": {},
    "gpt_neox": {}, "mixtral": {},
}  # fmt: skip
TRAININGS = {
    "full": {"algorithm": "sft"},
    "lora": {"algorithm": "lora_sft"},
    "lora-bf16": {"algorithm": "lora_sft", "precision": "bf16"},
    "full-eager": {"algorithm": "sft", "attention": "eager"},
    "full-packing": {"algorithm": "sft", "packing": True},
    "lora-dropout": {"algorithm": "lora_sft", "lora_dropout": 0.1},
}
CASES = [("llama", name) for name in TRAININGS] + [
    (architecture, name)
    for architecture in ARCHITECTURES
    for name in list(TRAININGS)[: 1 if architecture == "mixtral" else 3]  # PEFT adds adapters of experts to their weights.
    if architecture != "llama"
]
MEASURED = ("full-checkpointing", "lora")
"""The benchmark measures all settings; these two stand for what differs most."""


def kept_bytes(model: Any, *, padded: bool, bf16: bool) -> int:
    """Return the bytes of all tensors that a forward pass keeps for the backward pass, weights left out."""
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    ids = torch.randint(1, SIZES["vocab_size"], (BATCH, LENGTH))
    mask = torch.ones_like(ids)
    if padded:
        mask[0, -4:] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16, bf16):
        model(input_ids=ids, attention_mask=mask, labels=ids)
    return sum(storage.nbytes() for storage in kept.values())


def built(architecture: str, num_layers: int, training: Training) -> Any:
    sizes = SIZES | ARCHITECTURES[architecture] | {"num_hidden_layers": num_layers}
    config = transformers.AutoConfig.for_model(architecture, **sizes)
    dtype = torch.bfloat16 if training.precision == "bf16" else torch.float32
    attention = "eager" if training.attention == "eager" else "sdpa"
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)
    if training.has_adapters:
        settings = peft.LoraConfig(r=training.lora_r, lora_dropout=training.lora_dropout, target_modules="all-linear")
        model = peft.get_peft_model(model, settings)
    return model.train()


@pytest.mark.parametrize(("architecture", "name"), CASES)
def test_activations_of_a_layer(architecture: str, name: str) -> None:
    """Two models that differ by two layers tell what one layer keeps."""
    told = TRAININGS[name]
    if architecture == "gemma2":
        told = told | {"attention": "eager"}  # Its capped scores exist in no other implementation.
    training = Training(on_accelerator=False, max_seq_len=LENGTH, **told)
    how = {"padded": not training.packing, "bf16": training.precision == "bf16"}
    few, more = (kept_bytes(built(architecture, num_layers, training), **how) for num_layers in (1, 3))
    shape = parse_shape(built(architecture, 1, training).config.to_dict())
    assert activation_bytes(shape, training) == pytest.approx((more - few) / 2 / BATCH / LENGTH, rel=0.05)


@pytest.fixture(scope="module")
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("memory_benchmark", BENCHMARK)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measured(benchmark: Any) -> dict[str, int]:
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(MEASURED, pool.map(benchmark.measured_bytes, MEASURED), strict=True))


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read from Linux's /proc")
@pytest.mark.parametrize("name", MEASURED)
def test_likely_memory_is_near_what_training_takes(benchmark: Any, measured: dict[str, int], name: str) -> None:
    estimate = benchmark.SETTINGS[name].estimate()
    runtime = estimate.parts["runtime"]
    assert estimate.likely_bytes - runtime == pytest.approx(measured[name], rel=0.2)
    assert estimate.low_bytes < measured[name] + runtime < estimate.high_bytes
