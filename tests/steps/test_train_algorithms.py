"""Every algorithm learns, and leaves a plain model that is the base with what was learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import animals
import pytest
from trainrun import data, job, learn, only_process, preferences, write_data

from hub_steps.models.load import load_model, load_tokenizer
from hub_steps.parameters import TrainStepParameters

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


def check(output: Path, summary: dict[str, Any], fall: float) -> Any:
    """Check that the loss fell and that the model loads, and return it."""
    import torch

    assert summary["last_loss"] < summary["first_loss"] - fall
    assert summary["trainable_parameters"] > 0
    assert all(weight.dtype == torch.bfloat16 for weight in weights(output / "model").values())
    assert not list(output.glob("**/*.bin"))
    return load_model(output / "model").eval()


def test_sft(tmp_path: Path, model: Path) -> None:
    output, summary = learn(tmp_path, model, data(tmp_path), algorithm="sft")
    network = check(output, summary, fall=1)
    assert summary["trainable_parameters"] == sum(weight.numel() for weight in network.parameters())
    assert {path.name for path in output.iterdir()} == {"model", "metrics.jsonl", "loss_curve.png", "scratch"}
    before, after = weights(model), weights(output / "model")
    assert all((after[name].float() - weight).abs().max() > 1e-3 for name, weight in before.items())


@pytest.mark.parametrize(
    "parameters",
    [
        {"use_rslora": True, "gradient_checkpointing": True},
        {"use_dora": True, "lora_dropout": 0.1, "target_modules": ["q_proj", "v_proj"]},
        {"precision": "bf16", "attention": "eager"},
    ],
    ids=lambda parameters: next(iter(parameters)),
)
def test_lora(parameters: dict[str, Any], tmp_path: Path, model: Path) -> None:
    import torch
    from peft import PeftModel

    output, summary = learn(tmp_path, model, data(tmp_path), **parameters)
    network = check(output, summary, fall=0.1)
    ids = load_tokenizer(model)(" ".join(animals.CONTEXTS), return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        before = load_model(model)(ids).logits
        after = PeftModel.from_pretrained(load_model(model), str(output / "adapter")).eval()(ids).logits
        assert (network(ids).logits - after).abs().max() < 0.05 < (before - after).abs().max()


@pytest.mark.parametrize("ratio", [0.25, 1.0])
def test_osft_keeps_the_most_important_directions(ratio: float, tmp_path: Path, model: Path) -> None:
    import torch

    from hub_steps.train.model import merged_model

    parameters = {
        "algorithm": "osft",
        "unfreeze_rank_ratio": ratio,
        "target_patterns": ["mlp", "q_proj"],
        "weight_decay": 0.1,
    }
    output, summary = learn(tmp_path, model, data(tmp_path), **parameters)
    check(output, summary, fall=0.05)
    with only_process():
        merged = merged_model(model, output / "adapter", TrainStepParameters.model_validate(parameters)).state_dict()
    for name, weight in weights(model).items():
        changed = merged[name] - weight
        if "mlp" not in name and "q_proj" not in name:
            assert changed.abs().max() == 0, name
            continue
        u, s, v = torch.linalg.svd(weight.float(), full_matrices=False)
        kept = max(1, round(len(s) * (1 - ratio)))
        assert changed.abs().max() > 1e-3, name
        assert torch.linalg.matrix_rank(changed, atol=1e-4) <= 2 * (len(s) - kept)
        assert (changed @ v[:kept].T).abs().max() < 1e-4, "what the kept directions do is as before"
        assert (u[:, :kept].T @ changed).abs().max() < 1e-4


def test_osft_checkpoint_is_an_adapter_of_the_base(tmp_path: Path, model: Path) -> None:
    import torch
    from peft import PeftModel

    output, _ = learn(tmp_path, model, data(tmp_path), algorithm="osft", num_epochs=2, checkpoint_at_epoch=True)
    ids = load_tokenizer(model)(" ".join(animals.CONTEXTS), return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        newest = PeftModel.from_pretrained(load_model(model), str(output / "checkpoints" / "checkpoint-4")).eval()
        assert (newest(ids).logits - load_model(output / "model").eval()(ids).logits).abs().max() < 0.05


@pytest.mark.parametrize("bits", [4, 8])
def test_qlora(bits: int, tmp_path: Path, model: Path) -> None:
    pytest.importorskip("bitsandbytes")
    parameters = {"algorithm": "qlora_sft", "quantization_bits": bits, "use_loftq": bits == 4}
    output, summary = learn(tmp_path, model, data(tmp_path), **parameters)
    network = check(output, summary, fall=0.1)
    assert "quantization_config" not in network.config.to_dict()
    base = weights(model)["model.layers.0.mlp.up_proj.weight"]
    assert 0 < (weights(output / "model")["model.layers.0.mlp.up_proj.weight"] - base).abs().max() < 0.2


def test_loftq_starts_closer_to_the_base_than_its_quantization(tmp_path: Path, model: Path) -> None:
    pytest.importorskip("bitsandbytes")
    from peft.utils.integrations import dequantize_module_weight

    from hub_steps.train.model import trainable_model

    parameters = job(tmp_path, model, tmp_path, algorithm="qlora_sft", use_loftq=True, use_rslora=True).parameters
    with only_process():
        layer = trainable_model(model, parameters).get_base_model().model.layers[0].mlp.up_proj
    original = weights(model)["model.layers.0.mlp.up_proj.weight"]
    quantized = dequantize_module_weight(layer.get_base_layer()).float()
    lost = (original - quantized).norm()
    assert 0 < (original - quantized - layer.get_delta_weight("default")).norm() < 0.8 * lost


def likelihood(network: Any, tokenizer: Any, asked: str, told: str) -> float:
    import torch

    from hub_steps.models.chat import encode

    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
    ids, labels = (torch.tensor([values]) for values in encode(tokenizer, turns))
    with torch.inference_mode():
        return -float(network(input_ids=ids, labels=labels).loss)


def test_dpo_prefers_what_people_chose(tmp_path: Path, model: Path) -> None:
    pytest.importorskip("trl")
    output, summary = learn(tmp_path, model, preferences(tmp_path), algorithm="dpo", validation_split=0.2)
    network = check(output, summary, fall=0.2)
    assert summary["first_loss"] == pytest.approx(0.6931, abs=1e-3), "at first, the model is its own reference"
    assert {path.name for path in (output / "adapter").glob("*.safetensors")} == {"adapter_model.safetensors"}
    tokenizer, base = load_tokenizer(model), load_model(model).eval()
    for asked, told in animals.QUESTIONS[:3]:
        margins = [
            likelihood(each, tokenizer, asked, told) - likelihood(each, tokenizer, asked, "I do not know.")
            for each in (network, base)
        ]
        assert margins[0] > margins[1]


def test_pretraining(tmp_path: Path, model: Path) -> None:
    rows = write_data(tmp_path / "rows.jsonl", [{"document": context} for context in animals.CONTEXTS])
    output, summary = learn(tmp_path, model, rows, algorithm="sft", is_pretraining=True, block_size=16, packing=True)
    check(output, summary, fall=0.5)
    assert summary["samples"] > len(animals.CONTEXTS)


def test_code_of_a_model_runs_only_if_it_may(tmp_path: Path, model: Path) -> None:
    import json
    import shutil

    from hub_steps.contract import StepError

    odd = shutil.copytree(model, tmp_path / "odd")
    (odd / "odd.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n\n\n"
        "class OddConfig(LlamaConfig):\n    model_type = 'odd'\n\n\n"
        "class Odd(LlamaForCausalLM):\n    config_class = OddConfig\n"
    )
    config = json.loads((odd / "config.json").read_text())
    config |= {"model_type": "odd", "auto_map": {"AutoConfig": "odd.OddConfig", "AutoModelForCausalLM": "odd.Odd"}}
    (odd / "config.json").write_text(json.dumps(config))
    with pytest.raises(StepError, match=r"cannot load the (model|tokenizer) in"):
        learn(tmp_path, odd, data(tmp_path), num_epochs=1)
    output, _ = learn(tmp_path, odd, data(tmp_path), num_epochs=1, trust_remote_code=True)
    assert type(load_model(output / "model", trust_remote_code=True)).__name__ == "Odd"
