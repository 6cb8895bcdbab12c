"""Words of other training tools, and what the same thing is called here."""

from __future__ import annotations

FOREIGN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gpu", "gpus", "num_gpus", "gpu_count"), ("accelerators",)),
    **dict.fromkeys(("gpu_type", "accelerator_type"), ("accelerator",)),
    **dict.fromkeys(("cpu", "num_cpus"), ("cpus",)),
    **dict.fromkeys(("memory", "ram"), ("memory_gib",)),
    **dict.fromkeys(("timeout", "time_limit"), ("timeout_minutes", "timeout_seconds")),
    "lr": ("learning_rate",),
    "lr_scheduler_type": ("lr_scheduler",),
    **dict.fromkeys(("epochs", "num_train_epochs", "max_epochs"), ("num_epochs",)),
    **dict.fromkeys(("batch_size", "per_device_train_batch_size", "per_device_batch_size"), ("micro_batch_size",)),
    **dict.fromkeys(("gradient_accumulation_steps", "global_batch_size", "train_batch_size"), ("effective_batch_size",)),
    **dict.fromkeys(("bf16", "fp16", "dtype", "torch_dtype", "mixed_precision"), ("precision",)),
    **dict.fromkeys(("max_length", "max_seq_length", "seq_len", "sequence_length"), ("max_seq_len",)),
    **dict.fromkeys(("rank", "r", "lora_rank"), ("lora_r",)),
    "alpha": ("lora_alpha",),
    "beta": ("dpo_beta",),
    **dict.fromkeys(("endpoint_url", "base_url", "api_base"), ("url",)),
    "repo": ("repository",),
    **dict.fromkeys(("lora", "peft"), ("lora_sft",)),
    "qlora": ("qlora_sft",),
    **dict.fromkeys(("full", "full_finetune", "full_finetuning"), ("sft",)),
}  # fmt: skip
"""Keys and values in lower case, with the words meant by them; the first that is allowed where one stands is it."""


def meant_by(word: str) -> tuple[str, ...]:
    """Return what a word of another tool is called here; nothing if it is not such a word."""
    return FOREIGN.get(word.lower().replace("-", "_"), ())
