"""How Transformers' trainer is told to spread model and optimizer over the processes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.models.load import on_accelerator

if TYPE_CHECKING:
    from hub_steps.parameters import TrainParameters


def parallel_arguments(parameters: TrainParameters) -> dict[str, Any]:
    """Return the arguments of TrainingArguments for the strategy.

    Raises StepError if FSDP is asked for without an accelerator, or DeepSpeed and it is not installed.
    """
    match parameters.parallelism.strategy:
        case "ddp":
            return {"ddp_find_unused_parameters": False}
        case "fsdp":
            if not on_accelerator():  # Accelerate would fall back to DDP and say nothing.
                raise StepError("parallelism fsdp needs an accelerator; without one, use ddp or deepspeed")
            return {"fsdp": True, "fsdp_config": _fsdp(parameters)}
        case "deepspeed":
            if find_spec("deepspeed") is None:
                raise StepError("parallelism deepspeed needs the package deepspeed; the extra hubc[deepspeed] has it")
            return {"deepspeed": _zero(parameters)}


def join_processes(parameters: TrainParameters) -> None:
    """Let DeepSpeed join the other processes before a model is loaded, which it does in shards for ZeRO 3."""
    if parameters.parallelism.strategy == "deepspeed":
        import deepspeed

        deepspeed.init_distributed(verbose=False)


def leave_processes(parameters: TrainParameters) -> None:
    """Let models be loaded whole again."""
    if parameters.parallelism.strategy == "deepspeed":
        from transformers.integrations.deepspeed import unset_hf_deepspeed_config

        unset_hf_deepspeed_config()


def _fsdp(parameters: TrainParameters) -> dict[str, Any]:
    return {
        "version": 2,
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "cpu_offload": parameters.parallelism.offload_parameters,
        "state_dict_type": "FULL_STATE_DICT",
        "activation_checkpointing": parameters.gradient_checkpointing,
    }


def _zero(parameters: TrainParameters) -> dict[str, Any]:
    """Return DeepSpeed's configuration; `auto` is what the trainer's own arguments say."""
    chosen = parameters.parallelism
    zero: dict[str, Any] = {"stage": chosen.zero_stage, "overlap_comm": False, "contiguous_gradients": True}
    if chosen.offload_optimizer:
        zero["offload_optimizer"] = {"device": "cpu"}
    if chosen.offload_parameters:
        zero["offload_param"] = {"device": "cpu"}
    if chosen.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    return {
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "gradient_clipping": "auto",
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
    }
