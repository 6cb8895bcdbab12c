"""Memory a device for training: model states, activations, logits and what the runtime takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hubc.estimates.activations import activation_bytes, checkpoint_bytes, logits_bytes

if TYPE_CHECKING:
    from hubc.estimates.model_shape import ModelShape
    from hubc.estimates.training import Training

GIB = 1 << 30
_QUANTIZED_BYTES = {4: (4 + 0.127) / 8, 8: 1.0}
"""A weight by its bits; in 4 bits with doubly quantized constants (QLoRA, https://arxiv.org/abs/2305.14314, section 3)."""
_BUCKET_ELEMENTS = 5e8
"""Most gradients that DeepSpeed reduces at once (its default `reduce_bucket_size`)."""
_RUNTIME_GIB = {True: (0.4, 0.7, 1.2), False: (0.35, 0.45, 0.8)}
"""CUDA context, kernels and libraries on an accelerator; on the CPU, Python and the libraries (measured: 0.36)."""
_COLLECTIVES_GIB = (0.1, 0.4, 1.0)
"""Buffers of the collective communication library, where there are several devices."""
_RESERVED = {True: 0.15, False: 0.6}
"""Share of activations and logits that the allocator may hold beyond what is used: PyTorch's own on an accelerator; on the
CPU glibc's, which hands small blocks back late (`benchmarks/memory.py` prints it)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on one device; `parts` add up to the likely value, at the moment when most is needed."""

    what: str
    parts: dict[str, int]
    low_bytes: int
    high_bytes: int
    moment: str = ""
    notes: tuple[str, ...] = ()

    @property
    def likely_bytes(self) -> int:
        """The sum of the parts."""
        return sum(self.parts.values())

    def verdict(self, device_bytes: int) -> str:
        """Return whether this fits on a device with so much memory."""
        if self.likely_bytes > device_bytes:
            return "does not fit"
        return "fits" if self.high_bytes <= device_bytes else "may not fit"

    def as_data(self) -> dict[str, Any]:
        """Return the estimate as plain data, in bytes."""
        return {
            "what": self.what,
            "low_bytes": self.low_bytes,
            "likely_bytes": self.likely_bytes,
            "high_bytes": self.high_bytes,
            "parts_bytes": dict(self.parts),
            "moment": self.moment,
            "notes": list(self.notes),
        }


def gib(size: float) -> str:
    """Return bytes as text in GiB, without the unit."""
    return f"{size / GIB:.1f}"


def estimate_training(shape: ModelShape, training: Training) -> MemoryEstimate:
    """Return the memory that a training needs on each device.

    Raises ShapeError if the model has none of the target modules.
    """
    parts, moment = _peak(shape, training)
    moving = sum(parts[name] for name in ("activations", "logits", "temporary"))
    low, likely, high = _runtime(training)
    states = sum(parts.values()) - moving
    is_known = training.packing or training.longest_sample_tokens is not None
    shorter = training if is_known else replace(training, longest_sample_tokens=max(1, training.max_seq_len // 2))
    least = sum(_peak(shape, shorter)[0].values())
    notes: tuple[str, ...] = () if is_known else ("the low value is for samples of at most half of max_seq_len",)
    if shape.is_text_part:
        notes += ("only the language model is counted, not its vision or audio parts",)
    return MemoryEstimate(
        what="a device",
        parts={**parts, "runtime": likely},
        low_bytes=least + low,
        high_bytes=states + int(moving * (1 + _RESERVED[training.on_accelerator])) + high,
        moment=moment,
        notes=notes,
    )


def model_states(shape: ModelShape, training: Training) -> tuple[float, float, float]:
    """Return bytes of parameters, gradients and optimizer states, before they are shared out over devices.

    Adam keeps two averages of each trained weight: in 32 bits, 4 + 4 + 8 bytes a weight. DeepSpeed computes with 16-bit
    weights and keeps 32-bit ones with the optimizer: 2 + 2 + 12 (ZeRO, https://arxiv.org/abs/1910.02054, section 3.1).
    """
    frozen, trained = _frozen_bytes(shape, training), _trained(shape, training)
    if training.strategy == "deepspeed" and training.compute_bytes == 2:
        return frozen + 2 * trained, 2 * trained, 12 * trained
    return frozen + 4 * trained, 4 * trained, 8 * trained


def _trained(shape: ModelShape, training: Training) -> int:
    if training.has_adapters:
        return shape.lora_parameters(training.lora_r, training.target_modules)
    if training.algorithm == "osft":
        return shape.osft_parameters(training.unfreeze_rank_ratio, training.target_patterns)
    return shape.num_parameters


def _frozen_bytes(shape: ModelShape, training: Training) -> float:
    match training.algorithm:
        case "sft":
            return 0
        case "qlora_sft":  # Only linear layers are quantized, experts are none; PEFT keeps the rest in 32 bits.
            quantized = shape.linear_parameters - shape.expert_parameters
            return quantized * _QUANTIZED_BYTES[training.quantization_bits] + (shape.num_parameters - quantized) * 4
        case "osft":
            size = 2 if training.strategy == "deepspeed" and training.compute_bytes == 2 else 4
            return size * (shape.num_parameters + _osft_kept(shape, training))
        case _:  # The reference model of `dpo` is the same one without its adapters.
            return shape.num_parameters * training.compute_bytes


def _osft_kept(shape: ModelShape, training: Training) -> int:
    """Elements that PEFT keeps to project gradients: the directions that change as they were, the others' longer side."""
    kept = shape.osft_parameters(training.unfreeze_rank_ratio, training.target_patterns)
    for linear in shape.osft_matrices(training.target_patterns):
        if linear.inputs != linear.outputs:
            fixed = linear.max_rank - int(linear.max_rank * training.unfreeze_rank_ratio)
            kept += shape.num_layers * fixed * max(linear.inputs, linear.outputs)
    return kept


def _peak(shape: ModelShape, training: Training) -> tuple[dict[str, int], str]:
    """Return the parts at the moment that needs most: the loss, the backward pass of a layer, or the optimizer step."""
    zero, (parameters, gradients, optimizer) = training.zero, model_states(shape, training)
    states = {
        "parameters": 0 if training.offload_parameters and zero == 3 else _share(parameters, training, 3),
        "gradients": _share(gradients, training, 2),
        "optimizer": 0 if training.offload_optimizer else _share(optimizer, training, 1),
        "temporary": _passing(shape, training, gradients),
    }
    layer, copies = activation_bytes(shape, training) * training.tokens, _copies(shape, training)
    kept, backward = layer * shape.num_layers, layer
    if training.gradient_checkpointing:  # A layer's activations are there again, and the gradients of as many elements.
        kept = checkpoint_bytes(shape, training) * training.tokens * shape.num_layers
        backward, copies = kept + 2 * layer, copies / shape.num_layers
    during = {**states, "temporary": states["temporary"] + copies}
    early = during if training.gradient_accumulation_steps > 1 else {**during, "gradients": 0}
    logits = logits_bytes(shape, training) * training.tokens
    moments = {
        "when the loss is computed": {**early, "activations": kept, "logits": logits},
        "in the backward pass": {**during, "activations": backward},
        "at the optimizer step": states,
    }
    moment = max(moments, key=lambda name: sum(moments[name].values()))
    order = ("parameters", "gradients", "optimizer", "activations", "logits", "temporary")
    return {name: int(moments[moment].get(name, 0)) for name in order}, moment


def _share(size: float, training: Training, stage: int) -> float:
    return size / training.devices if training.zero >= stage else size


def _passing(shape: ModelShape, training: Training, gradients: float) -> float:
    """What comes and goes layer by layer: a dequantized weight, buckets of gradients, gathered layers."""
    size = training.compute_bytes
    dequantized = size * max(linear.weights for linear in shape.linears) if training.algorithm == "qlora_sft" else 0
    if training.zero == 3:
        return size * (2 * shape.layer_parameters + shape.vocab_size * shape.hidden_size)
    if training.devices == 1:
        return dequantized
    return dequantized + (gradients if training.zero == 0 else min(gradients, 2 * _BUCKET_ELEMENTS))


def _copies(shape: ModelShape, training: Training) -> float:
    """Weights that the forward pass makes and the backward pass reads: cast, or joined from factors."""
    size = training.compute_bytes
    match training.algorithm:
        case "osft":
            joined = 2 * shape.osft_parameters(training.unfreeze_rank_ratio, training.target_patterns)
            return joined * (4 + (2 if size == 2 else 0)) + (2 * shape.num_parameters if training.mixes_precision else 0)
        case "sft":
            return 2 * shape.num_parameters if training.mixes_precision else 0
        case _:  # PEFT adds adapters of experts to their weights.
            adapts = any(linear.is_expert for linear in shape.targets(training.target_modules))
            return size * shape.expert_parameters if adapts else 0


def _runtime(training: Training) -> tuple[int, int, int]:
    several = training.devices > 1 and training.on_accelerator
    pairs = zip(_RUNTIME_GIB[training.on_accelerator], _COLLECTIVES_GIB, strict=True)
    low, likely, high = (int(GIB * (runtime + (collectives if several else 0))) for runtime, collectives in pairs)
    return low, likely, high
