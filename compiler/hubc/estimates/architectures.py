"""Which linear layers and norms the layers of each architecture have, as Transformers builds them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Reads = Literal["attention_norm", "attention_output", "mlp_norm", "mlp_product"]


@dataclass(frozen=True)
class Linear:
    """A linear layer of one decoder layer; `reads` names what it is applied to, which layers may share."""

    name: str
    inputs: int
    outputs: int
    reads: Reads
    bias: bool = False
    count: int = 1
    """How many there are: one for each expert."""
    is_adaptable: bool = True
    """Whether PEFT gives it an adapter when all linear layers get one."""
    rank_factor: int = 1
    """Rank of its adapter for each unit of `lora_r`; PEFT doubles it where two projections are fused in experts."""

    @property
    def is_expert(self) -> bool:
        """Whether it is part of the experts, which Transformers keeps as one parameter for all."""
        return self.name.startswith("experts.")

    @property
    def weights(self) -> int:
        """Elements of the weight of one."""
        return self.inputs * self.outputs

    @property
    def max_rank(self) -> int:
        """Number of singular values of the weight."""
        return min(self.inputs, self.outputs)


@dataclass(frozen=True)
class Family:
    """How the layers of an architecture differ from Llama's; keys are those of its config."""

    is_tied: bool = False
    head_dim: int | None = None
    qkv_bias: bool = False
    attention_bias_key: str | None = None
    mlp_bias_key: str | None = None
    num_norms: int = 2
    norm_bias: bool = False
    head_norms: bool = False
    norm_in_fp32: bool = False
    is_fused_phi: bool = False
    is_fused_neox: bool = False
    experts_key: str | None = None
    expert_width_key: str = "intermediate_size"
    adapts_experts: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_fused(self) -> bool:
        """Whether queries, keys and values come from one linear layer."""
        return self.is_fused_phi or self.is_fused_neox

    @property
    def is_gated(self) -> bool:
        """Whether the MLP multiplies two projections (SwiGLU, GeGLU)."""
        return not self.is_fused_neox


_LLAMA = Family(attention_bias_key="attention_bias", mlp_bias_key="mlp_bias")
_GEMMA = Family(is_tied=True, head_dim=256, attention_bias_key="attention_bias", norm_in_fp32=True)
_GEMMA3_SIZES = {
    "vocab_size": 262208, "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 131072
}  # fmt: skip

FAMILIES: dict[str, Family] = {
    "llama": _LLAMA,
    "mistral": Family(),
    "ministral3": Family(),
    "mixtral": Family(experts_key="num_local_experts", adapts_experts=True),
    "qwen2": Family(qkv_bias=True),
    "qwen3": Family(attention_bias_key="attention_bias", head_norms=True, head_dim=128),
    "qwen3_moe": Family(
        attention_bias_key="attention_bias",
        head_norms=True,
        experts_key="num_experts",
        expert_width_key="moe_intermediate_size",
        adapts_experts=True,
    ),
    "gemma": _GEMMA,
    "gemma2": replace(_GEMMA, num_norms=4),
    "gemma3_text": replace(_GEMMA, num_norms=4, head_norms=True, defaults=_GEMMA3_SIZES),
    "phi3": Family(is_fused_phi=True),
    "gpt_neox": Family(is_fused_neox=True, norm_bias=True, defaults={"attention_bias": True}),
    "granite": _LLAMA,
    "granitemoe": Family(attention_bias_key="attention_bias", experts_key="num_local_experts"),
    "smollm3": Family(is_tied=True, attention_bias_key="attention_bias", mlp_bias_key="mlp_bias"),
}
"""By `model_type`; tied embeddings, head size and the like are Transformers' defaults for configs that leave them out."""


def layer_linears(family: Family, sizes: Mapping[str, int], config: Mapping[str, Any]) -> tuple[Linear, ...]:
    """Return the linear layers of one decoder layer; `sizes` has hidden, query, kv, width and experts."""
    hidden, query, kv, width = (sizes[name] for name in ("hidden", "query", "kv", "width"))
    if family.is_fused_neox:
        bias = bool(config.get("attention_bias"))
        return (
            Linear("query_key_value", hidden, 3 * hidden, "attention_norm", bias),
            Linear("dense", hidden, hidden, "attention_output", bias),
            Linear("dense_h_to_4h", hidden, width, "mlp_norm", bias=True),
            Linear("dense_4h_to_h", width, hidden, "mlp_product", bias=True),
        )
    if family.is_fused_phi:
        return (
            Linear("qkv_proj", hidden, query + 2 * kv, "attention_norm"),
            Linear("o_proj", query, hidden, "attention_output"),
            Linear("gate_up_proj", hidden, 2 * width, "mlp_norm"),
            Linear("down_proj", width, hidden, "mlp_product"),
        )
    bias = bool(family.attention_bias_key and config.get(family.attention_bias_key))
    attention = (
        Linear("q_proj", hidden, query, "attention_norm", bias or family.qkv_bias),
        Linear("k_proj", hidden, kv, "attention_norm", bias or family.qkv_bias),
        Linear("v_proj", hidden, kv, "attention_norm", bias or family.qkv_bias),
        Linear("o_proj", query, hidden, "attention_output", bias),
    )
    mlp_bias = bool(family.mlp_bias_key and config.get(family.mlp_bias_key))
    if experts := sizes["experts"]:
        adapts = family.adapts_experts
        return (
            *attention,
            Linear("gate", hidden, experts, "mlp_norm", is_adaptable=adapts),
            Linear("experts.gate_up_proj", hidden, 2 * width, "mlp_norm", False, experts, adapts, rank_factor=2),
            Linear("experts.down_proj", width, hidden, "mlp_product", False, experts, adapts),
        )
    return (
        *attention,
        Linear("gate_proj", hidden, width, "mlp_norm", mlp_bias),
        Linear("up_proj", hidden, width, "mlp_norm", mlp_bias),
        Linear("down_proj", width, hidden, "mlp_product", mlp_bias),
    )
