"""Models with quantized weights, through bitsandbytes."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.models.load import load_model, on_accelerator

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainStepParameters


def quantized_model(folder: Path, parameters: TrainStepParameters, dtype: str, **options: Any) -> Any:
    """Return the model with its linear layers in 4 bits (NF4, doubly quantized) or 8 bits, computing in `dtype`.

    Raises StepError if bitsandbytes is not installed.
    """
    from peft import prepare_model_for_kbit_training
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise StepError("qlora_sft needs the package bitsandbytes; the extra hubc[quantization] has it")
    if parameters.quantization_bits == 8:
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    model = load_model(folder, dtype=dtype, quantization_config=config, device_map=_this_device(), **options)
    return prepare_model_for_kbit_training(
        model,
        use_gradient_checkpointing=parameters.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
    )


def start_from_quantization_error(model: Any, original: Any) -> None:
    """Let every adapter of `model` start as the best approximation of what quantization took from `original` (LoftQ).

    Li et al., LoftQ (https://arxiv.org/abs/2310.08659), with one iteration.
    """
    import torch
    from peft.tuners.lora import LoraLayer
    from peft.utils.integrations import dequantize_module_weight

    weights = dict(original.named_modules())
    adapted: list[tuple[str, Any]] = [
        (name, layer) for name, layer in model.get_base_model().named_modules() if isinstance(layer, LoraLayer)
    ]
    for name, layer in adapted:
        left = dequantize_module_weight(layer.get_base_layer()).float()
        lost = weights[name].weight.to(left) - left
        rank = layer.r["default"]
        u, s, v = torch.linalg.svd(lost, full_matrices=False)
        root = (s[:rank] / layer.scaling["default"]).sqrt()
        with torch.no_grad():
            layer.lora_B["default"].weight[:, : len(root)] = u[:, :rank] * root
            layer.lora_A["default"].weight[: len(root)] = root[:, None] * v[:rank]


def _this_device() -> dict[str, Any]:
    return {"": int(os.environ["LOCAL_RANK"]) if on_accelerator() else "cpu"}
