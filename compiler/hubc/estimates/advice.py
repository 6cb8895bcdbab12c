"""What to change when a training does not fit a device, each change computed anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hubc.estimates.memory import estimate_training, gib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.estimates.model_shape import ModelShape
    from hubc.estimates.training import Training

_MAX_TOGETHER = 4


@dataclass(frozen=True)
class Change:
    """One thing to change in a spec, and the training with it."""

    text: str
    training: Training


def advice(shape: ModelShape, training: Training, device_bytes: int) -> list[str]:
    """Return what to change so that the training fits, the change with the largest effect first; nothing if it fits.

    Where no single change is enough, the last line names several that are, or says that none are known.
    """
    size = _likely(shape, training)
    if size <= device_bytes:
        return []
    found = sorted((_likely(shape, change.training), change.text) for change in changes(training))
    lines = [f"{text}: {gib(likely)} GiB{_fits(likely, device_bytes)}" for likely, text in found if likely < 0.98 * size]
    if any(likely <= device_bytes for likely, _ in found):
        return lines
    return [*lines, _together(shape, training, device_bytes)]


def changes(training: Training) -> Iterator[Change]:
    """Yield every single change that can save memory."""
    if training.micro_batch_size > 1:
        smaller = replace(training, micro_batch_size=1, gradient_accumulation_steps=2)
        yield Change(f"micro_batch_size {training.micro_batch_size} -> 1", smaller)
    if not training.gradient_checkpointing:
        yield Change("gradient_checkpointing: true", replace(training, gradient_checkpointing=True))
    if training.max_seq_len >= 512:
        half = training.max_seq_len // 2
        yield Change(f"max_seq_len {training.max_seq_len} -> {half}", replace(training, max_seq_len=half))
    if training.attention == "eager":
        yield Change("attention eager -> sdpa", replace(training, attention="sdpa"))
    if training.precision == "fp32":
        yield Change("precision fp32 -> bf16", replace(training, precision="bf16"))
    yield from _of_algorithm(training)
    if training.on_accelerator:
        yield from _on_accelerators(training)


def _of_algorithm(training: Training) -> Iterator[Change]:
    if training.algorithm in ("sft", "osft"):
        yield Change(f"algorithm {training.algorithm} -> lora_sft", replace(training, algorithm="lora_sft"))
    if training.algorithm == "lora_sft" and training.on_accelerator:
        yield Change("algorithm lora_sft -> qlora_sft", replace(training, algorithm="qlora_sft"))


def _on_accelerators(training: Training) -> Iterator[Change]:
    if not training.use_liger:
        yield Change("use_liger: true", replace(training, use_liger=True))
    if training.devices > 1 and training.strategy == "ddp":
        yield Change("parallelism ddp -> fsdp", replace(training, strategy="fsdp"))
    if training.devices > 1 and training.strategy == "deepspeed" and training.zero_stage < 3:
        yield Change(f"zero_stage {training.zero_stage} -> 3", replace(training, zero_stage=3))
    if training.strategy == "deepspeed" and not training.offload_optimizer:
        yield Change("offload_optimizer: true", replace(training, offload_optimizer=True))
    if training.zero == 3 and not training.offload_parameters:
        yield Change("offload_parameters: true", replace(training, offload_parameters=True))


def _together(shape: ModelShape, training: Training, device_bytes: int) -> str:
    """Take the change with the largest effect, then the next, until the training fits."""
    texts: list[str] = []
    for _ in range(_MAX_TOGETHER):
        best = min(changes(training), key=lambda change: _likely(shape, change.training), default=None)
        if best is None or _likely(shape, best.training) >= _likely(shape, training):
            break
        training, texts = best.training, [*texts, best.text]
        if _likely(shape, training) <= device_bytes:
            return f"together {'; '.join(texts)}: {gib(_likely(shape, training))} GiB, fits"
    return "no change of the training is known that makes it fit: take a smaller model, or more or larger devices"


def _likely(shape: ModelShape, training: Training) -> int:
    return estimate_training(shape, training).likely_bytes


def _fits(likely: int, device_bytes: int) -> str:
    return ", fits" if likely <= device_bytes else ""
