"""What the forward pass keeps for the backward pass, in bytes for one token.

The terms are those of Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models"
(https://arxiv.org/abs/2205.05198), section 4.1, taken apart for rotary positions, gated MLPs, grouped queries and RMSNorm as
Transformers computes them: each norm keeps its input in 32 bits, and its normalized input if its weight is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hubc.estimates.architectures import Linear
    from hubc.estimates.model_shape import ModelShape
    from hubc.estimates.training import Training


def activation_bytes(shape: ModelShape, training: Training) -> int:
    """Return the bytes that one token leaves in one decoder layer."""
    return _norms(shape, training) + _attention(shape, training) + _linear_inputs(shape, training) + _mlp(shape, training)


def checkpoint_bytes(shape: ModelShape, training: Training) -> int:
    """Return the bytes that one token leaves in one decoder layer with gradient checkpointing: the layer's input."""
    return shape.hidden_size * (4 if training.mixes_precision else training.compute_bytes)


def logits_bytes(shape: ModelShape, training: Training) -> int:
    """Return the bytes of one token's loss at its peak: log-softmax, its gradient and that of the logits, in 32 bits.

    Liger's fused loss (https://arxiv.org/abs/2410.10989, section 3.2) makes logits for so few tokens at once that they take
    about as much as the hidden states, which get their gradient in the same pass.
    """
    return 8 * shape.hidden_size if training.use_liger else 12 * shape.vocab_size


def _norms(shape: ModelShape, training: Training) -> int:
    if shape.family.norm_bias:
        return shape.hidden_size * training.compute_bytes  # LayerNorm keeps its input; parallel branches share it.
    normalized = 0 if training.algorithm != "sft" else 4 if shape.family.norm_in_fp32 else _outside_matrices(training)
    heads = (4 + normalized) * (shape.query_size + shape.kv_size) if shape.family.head_norms else 0
    return shape.family.num_norms * shape.hidden_size * (4 + normalized) + heads


def _attention(shape: ModelShape, training: Training) -> int:
    """Queries, keys, values and output; heads share keys and values only where there is no mask for padding."""
    size, is_padded = training.compute_bytes, not training.packing
    is_flash = training.attention == "flash_attention_2"
    kv = shape.kv_size if is_flash or not is_padded else shape.query_size
    kept = size * (2 * shape.query_size + 2 * kv)
    if training.attention == "eager":
        score = 4 + (size if size < 4 else 0) + (size if shape.architecture == "gemma2" else 0)
        return kept + score * shape.num_heads * training.sample_tokens
    if shape.family.is_fused:  # The output projection gets a copy in another order.
        kept += size * shape.query_size
    return kept if is_flash or not is_padded else kept + size * training.sample_tokens


def _linear_inputs(shape: ModelShape, training: Training) -> int:
    """Inputs of linear layers that are trained or adapted; what attention or the MLP keeps anyway is left out."""
    adapted = _adapted(shape, training)
    ranks = training.compute_bytes * sum(rank for _, rank in adapted)
    if not training.has_adapters:
        copies = sum(linear.reads.endswith("norm") for linear, _ in adapted) if training.mixes_precision else 2
        return ranks + training.compute_bytes * shape.hidden_size * copies  # Autocast makes a copy for each.
    by_input: dict[str, list[Linear]] = {}
    for linear, _ in adapted:
        by_input.setdefault(linear.reads, []).append(linear)
    return ranks + sum(_adapter_inputs(linears, training) for linears in by_input.values())


def _adapted(shape: ModelShape, training: Training) -> list[tuple[Linear, int]]:
    """Return the linear layers that are trained or adapted, with the elements that a token leaves between two factors."""
    if training.has_adapters:
        targets = shape.targets(training.target_modules)
        return [(linear, training.lora_r) for linear in targets if not linear.is_expert]
    if training.algorithm == "osft":  # PEFT multiplies with the changed and the original factors side by side.
        matrices = shape.osft_matrices(training.target_patterns)
        return [(linear, 2 * int(linear.max_rank * training.unfreeze_rank_ratio)) for linear in matrices]
    return [(linear, 0) for linear in shape.linears if not linear.is_expert]


def _adapter_inputs(linears: list[Linear], training: Training) -> int:
    """Adapters in 32 bits below a 16-bit model get a copy of their own each, and so do those with dropout, with a mask."""
    size, inputs = training.compute_bytes, linears[0].inputs
    replaced = inputs * size if linears[0].reads == "mlp_product" else 0
    if training.lora_dropout:
        return len(linears) * inputs * (size + (1 if training.on_accelerator else 4)) - replaced
    if size < 4:
        return len(linears) * inputs * size - replaced
    return inputs * size if linears[0].reads.endswith("norm") else 0


def _mlp(shape: ModelShape, training: Training) -> int:
    """Gate, its activation, the other projection and their product; experts also copy their input and keep their output."""
    kept = (4 if shape.family.is_gated else 2) * shape.intermediate_size
    if training.use_liger and shape.family.is_gated:
        kept -= shape.intermediate_size  # Liger's SwiGLU computes the activation again.
    if shape.num_experts:
        kept = shape.experts_per_token * (kept + (2 if training.algorithm == "sft" else 1) * shape.hidden_size)
    return training.compute_bytes * kept


def _outside_matrices(training: Training) -> int:
    return 4 if training.mixes_precision else training.compute_bytes
