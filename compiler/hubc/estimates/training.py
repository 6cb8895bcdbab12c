"""What an estimate of a training needs to know, independent of the spec's classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Algorithm = Literal["sft", "osft", "lora_sft", "qlora_sft", "dpo"]
Precision = Literal["auto", "bf16", "fp16", "fp32"]
Attention = Literal["auto", "eager", "sdpa", "flash_attention_2"]
Strategy = Literal["ddp", "fsdp", "deepspeed"]


@dataclass(frozen=True)
class Training:
    """One training, as far as it decides memory and time; `devices` counts processes over all nodes."""

    algorithm: Algorithm = "lora_sft"
    precision: Precision = "auto"
    on_accelerator: bool = True
    devices: int = 1
    micro_batch_size: int = 4
    """Sequences that a device takes through the model at once."""
    gradient_accumulation_steps: int = 1
    max_seq_len: int = 1024
    longest_sample_tokens: int | None = None
    """Tokens of the longest sample, where the data is known."""
    max_tokens_per_gpu: int | None = None
    packing: bool = False
    gradient_checkpointing: bool = False
    attention: Attention = "auto"
    use_liger: bool = False
    lora_r: int = 16
    lora_dropout: float = 0.0
    target_modules: tuple[str, ...] | None = None
    quantization_bits: Literal[4, 8] = 4
    unfreeze_rank_ratio: float = 0.5
    target_patterns: tuple[str, ...] | None = None
    strategy: Strategy = "ddp"
    zero_stage: Literal[1, 2, 3] = 2
    offload_optimizer: bool = False
    offload_parameters: bool = False

    @property
    def has_adapters(self) -> bool:
        """Whether low-rank adapters are trained; the preferences of `dpo` always train adapters."""
        return self.algorithm in ("lora_sft", "qlora_sft", "dpo")

    @property
    def compute_bytes(self) -> int:
        """Bytes of one element in the forward pass."""
        if self.precision == "auto":
            return 2 if self.on_accelerator else 4
        return 4 if self.precision == "fp32" else 2

    @property
    def mixes_precision(self) -> bool:
        """Whether hidden states are in 32 bits and matrices are multiplied in 16 (autocast over a model in 32 bits).

        `sft` and `osft` load weights in 32 bits, and PEFT keeps what is not quantized in 32 bits. FSDP and DeepSpeed cast.
        """
        return self.compute_bytes == 2 and self.algorithm not in ("lora_sft", "dpo") and self.strategy == "ddp"

    @property
    def zero(self) -> int:
        """What the devices share: 0 nothing, 1 optimizer states, 2 also gradients, 3 also parameters."""
        return {"ddp": 0, "fsdp": 3, "deepspeed": self.zero_stage}[self.strategy] if self.devices > 1 else 0

    @property
    def sample_tokens(self) -> int:
        """Tokens of the longest sequence that a device can meet."""
        if self.packing:
            return self.max_seq_len
        return min(self.max_seq_len, self.longest_sample_tokens or self.max_seq_len)

    @property
    def tokens(self) -> int:
        """Most tokens that a device takes through the model at once; a preference has two answers."""
        tokens = self.micro_batch_size * self.sample_tokens * (2 if self.algorithm == "dpo" else 1)
        return min(tokens, self.max_tokens_per_gpu or tokens)
