"""What training parameters cannot be together, and the registry of backends."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hub_steps.parameters import TrainStepParameters
from hub_steps.parameters.train import BACKENDS
from hub_steps.train.backends import Registry, built_in

SCRIPT = {"algorithm": "custom", "custom": {"script": "train.py"}}


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"keep": "best"}, "'keep: best' needs a 'validation_split' above 0"),
        ({"validation_frequency": 3}, "'validation_frequency' needs a 'validation_split' above 0"),
        ({"save_steps": 1, "save_samples": 1}, "give 'save_steps' or 'save_samples', not both"),
        ({"use_loftq": True}, "'use_loftq' needs 'algorithm: qlora_sft'"),
        ({"algorithm": "dpo", "packing": True}, "'packing' is not for 'algorithm: dpo'"),
        ({"algorithm": "dpo", "is_pretraining": True}, "'algorithm: dpo' reads no documents"),
        ({"is_pretraining": True, "unmask_messages": True}, "'unmask_messages' is for conversations"),
        ({"algorithm": "osft", "parallelism": {"strategy": "fsdp"}}, "need 'parallelism: {strategy: ddp}'"),
        ({"algorithm": "osft", "unfreeze_rank_ratio": 0.0}, "'unfreeze_rank_ratio: 0' leaves nothing"),
        ({"parallelism": {"offload_optimizer": True}}, "'offload_optimizer' needs 'strategy: deepspeed'"),
        ({"parallelism": {"strategy": "deepspeed", "offload_parameters": True}}, "'offload_parameters' needs"),
        ({"backend": "trl"}, "backend 'trl' not found for algorithm 'lora_sft'; it has: transformers"),
        ({"algorithm": "custom"}, "'algorithm: custom' and the section 'custom' need each other"),
    ],
)  # fmt: skip
def test_conflicts(parameters: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TrainStepParameters.model_validate(parameters)
    assert wanted in str(caught.value)


@pytest.mark.parametrize("parameters", [{}, {"algorithm": "dpo"}, {"algorithm": "osft"}, {"use_dora": True}, SCRIPT])
def test_allowed(parameters: dict[str, Any]) -> None:
    TrainStepParameters.model_validate(parameters)


def test_registry_has_what_a_spec_can_name() -> None:
    registry = built_in()
    assert {name: tuple(registry.backends(name)) for name in registry.algorithms()} == BACKENDS
    assert registry.backend("sft") is registry.backend("sft", "transformers")


def test_registry_errors() -> None:
    registry = Registry()
    run = built_in().backend("sft")
    with pytest.raises(ValueError, match=r"Algorithm 'grpo' must be registered before registering backends"):
        registry.register_backend("grpo", "trl", run)
    with pytest.raises(ValueError, match=r"Algorithm 'grpo' not found"):
        registry.backend("grpo")
    registry.register_algorithm("grpo")
    registry.register_backend("grpo", "trl", run)
    with pytest.raises(ValueError, match=r"Backend 'verl' not found for algorithm 'grpo'"):
        registry.backend("grpo", "verl")
    assert (registry.algorithms(), registry.backends("grpo"), registry.backend("grpo")) == (["grpo"], ["trl"], run)
