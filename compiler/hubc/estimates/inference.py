"""Memory for running a model: measuring it, and serving a teacher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hubc.estimates.memory import GIB, MemoryEstimate

if TYPE_CHECKING:
    from hubc.estimates.model_shape import ModelShape

_RUNTIME_GIB = (0.4, 0.7, 1.5)
_BYTES_A_WEIGHT = {"bf16": 2.0, "fp16": 2.0, "fp32": 4.0, "q8": 8.5 / 8, "q4": 4.85 / 8}
"""Bytes by precision; `q8` and `q4` are llama.cpp's Q8_0 and Q4_K_M, scales included."""


def estimate_evaluation(
    shape: ModelShape, batch_size: int, prompt_tokens: int, new_tokens: int, *, on_accelerator: bool = True
) -> MemoryEstimate:
    """Return the memory of measuring a model: weights, key-value cache, and logits of whole answers in 32 bits.

    The low value is for texts of half the length.
    """
    size = 2 if on_accelerator else 4
    tokens = batch_size * (prompt_tokens + new_tokens)
    parts = {
        "parameters": shape.num_parameters * size,
        "cache": kv_cache_bytes(shape, tokens, size),
        "activations": tokens * size * (4 * shape.hidden_size + 4 * shape.intermediate_size),
        "logits": tokens * shape.vocab_size * (8 + size),
    }
    return _estimate("to measure the model", parts)


def estimate_serving(
    shape: ModelShape,
    parallel_requests: int,
    context_tokens: int,
    *,
    precision: Literal["bf16", "fp16", "fp32", "q8", "q4"] = "bf16",
    weights_bytes: int | None = None,
) -> MemoryEstimate:
    """Return the memory of a server that answers so many requests of so many tokens at once.

    `weights_bytes` is the size of the weights' file, where it is known; else it follows from the precision.
    """
    parts = {
        "parameters": weights_bytes or int(shape.num_parameters * _BYTES_A_WEIGHT[precision]),
        "cache": kv_cache_bytes(shape, parallel_requests * context_tokens, 2),
        "activations": 512 * 4 * (4 * shape.hidden_size + shape.vocab_size),  # llama.cpp computes 512 tokens at a time.
    }
    return _estimate("to serve the model", parts)


def kv_cache_bytes(shape: ModelShape, tokens: int, size: int) -> int:
    """Return the bytes of keys and values of all layers for so many tokens of `size` bytes an element."""
    return 2 * shape.num_layers * shape.kv_size * tokens * size


def _estimate(what: str, parts: dict[str, int]) -> MemoryEstimate:
    low, likely, high = (int(GIB * size) for size in _RUNTIME_GIB)
    weights = parts["parameters"]
    moving = sum(parts.values()) - weights
    return MemoryEstimate(
        what=what,
        parts={**parts, "runtime": likely},
        low_bytes=weights + moving // 2 + low,
        high_bytes=weights + moving * 5 // 4 + high,
    )
