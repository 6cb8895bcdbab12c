"""The model that each algorithm trains, and the plain model that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.models.load import load_model, on_accelerator

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainStepParameters

DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def precision(parameters: TrainStepParameters) -> str:
    """Return the number format of the computation: `bf16`, `fp16` or `fp32`.

    Raises StepError for fp16 on a CPU, which has no loss scaling.
    """
    if parameters.precision == "fp16" and not on_accelerator():
        raise StepError("precision fp16 needs an accelerator; without one, use bf16 or fp32")
    if parameters.precision != "auto":
        return parameters.precision
    return "bf16" if on_accelerator() else "fp32"


def trainable_model(folder: Path, parameters: TrainStepParameters) -> Any:
    """Return the model to train; what it does not learn is frozen.

    Raises StepError if the model cannot be loaded, or has no matrices to put adapters on.
    """
    match parameters.algorithm:
        case "sft":
            return _load(folder, parameters, "float32")
        case "osft":
            from hub_steps.train.osft import orthogonal_config

            base = _load(folder, parameters, "float32")
            return _adapted(base, orthogonal_config(base, parameters))
        case "qlora_sft":
            from hub_steps.train.quantization import quantized_model, start_from_quantization_error

            base = quantized_model(folder, parameters, DTYPES[precision(parameters)], **_options(parameters))
            model = _adapted(base, lora_config(parameters))
            if parameters.use_loftq:
                start_from_quantization_error(model, load_model(folder, dtype="float32", **_options(parameters)))
            return model
        case _:
            return _adapted(base_model(folder, parameters), lora_config(parameters))


def base_model(folder: Path, parameters: TrainStepParameters) -> Any:
    """Return the model that adapters are put on, in the precision of the computation."""
    return _load(folder, parameters, DTYPES[precision(parameters)])


def merged_model(folder: Path, trained: Path, parameters: TrainStepParameters) -> Any:
    """Return a plain Transformers model in float32: the trained one, or the base model with the trained adapter merged.

    A quantized base is taken as training saw it: with the values that quantization left.
    """
    from peft import load_peft_weights, set_peft_model_state_dict

    match parameters.algorithm:
        case "sft":
            return _load(trained, parameters, "float32")
        case "osft":
            from hub_steps.train.osft import orthogonal_config

            base = _load(folder, parameters, "float32")
            model = _adapted(base, orthogonal_config(base, parameters))
        case "qlora_sft":
            from hub_steps.train.quantization import quantized_model

            base = quantized_model(folder, parameters, DTYPES[precision(parameters)], **_options(parameters))
            model = _adapted(base.dequantize().float(), lora_config(parameters))
        case _:
            model = _adapted(_load(folder, parameters, "float32"), lora_config(parameters))
    set_peft_model_state_dict(model, load_peft_weights(str(trained), device="cpu"))
    return model.merge_and_unload()


def lora_config(parameters: TrainStepParameters) -> Any:
    """Return the adapters' configuration."""
    from peft import LoraConfig

    return LoraConfig(
        r=parameters.lora_r,
        lora_alpha=parameters.lora_alpha,
        lora_dropout=parameters.lora_dropout,
        target_modules=list(parameters.target_modules) if parameters.target_modules else "all-linear",
        use_rslora=parameters.use_rslora,
        use_dora=parameters.use_dora,
        task_type="CAUSAL_LM",
    )


def _adapted(base: Any, config: Any) -> Any:
    from peft import get_peft_model

    try:
        return get_peft_model(base, config)
    except ValueError as error:
        raise StepError(f"cannot put adapters on the model: {' '.join(str(error).split())}") from None


def _load(folder: Path, parameters: TrainStepParameters, dtype: str) -> Any:
    return load_model(folder, dtype=dtype, **_options(parameters))


def _options(parameters: TrainStepParameters) -> dict[str, Any]:
    chosen = {} if parameters.attention == "auto" else {"attn_implementation": parameters.attention}
    return {"trust_remote_code": parameters.trust_remote_code, **chosen}
