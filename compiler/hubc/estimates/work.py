"""Tokens, device-hours and cost of a step; what is not known stays unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hubc.estimates.model_shape import ModelShape
    from hubc.estimates.training import Training

CHARACTERS_A_TOKEN = 4
"""A guess for English text; other languages and code need more tokens."""
UTILIZATION = (0.25, 0.40, 0.50)
"""Share of the accelerator's peak rate that training reaches: low, likely, high. PaLM reports 46 %, counted in the same way
(https://arxiv.org/abs/2204.02311, appendix B), Megatron-LM up to 52 % (https://arxiv.org/abs/2104.04473)."""


@dataclass(frozen=True)
class Span:
    """A quantity with a range."""

    low: float
    likely: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Span:
        """Return the range of a value that is known."""
        return cls(value, value, value)

    def __mul__(self, other: Span | float) -> Span:
        by = other if isinstance(other, Span) else Span.exactly(other)
        return Span(self.low * by.low, self.likely * by.likely, self.high * by.high)

    def as_data(self, unit: str) -> dict[str, float]:
        """Return the range as plain data, the unit in the names."""
        return {f"low_{unit}": self.low, f"likely_{unit}": self.likely, f"high_{unit}": self.high}


@dataclass(frozen=True)
class Device:
    """An accelerator as the platform describes it; whatever it leaves out is not estimated."""

    name: str
    memory_gib: float | None = None
    tflops: float | None = None
    """Dense peak rate in 16 bits, in TFLOP/s."""
    price_per_hour: float | None = None
    currency: str = "USD"


@dataclass(frozen=True)
class WorkEstimate:
    """What a step takes; None is unknown, and `reasons` says why."""

    tokens: Span | None = None
    device_hours: Span | None = None
    cost: Span | None = None
    currency: str = "USD"
    most_device_hours: float | None = None
    """Time limit times number of devices."""
    most_cost: float | None = None
    reasons: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the estimate as plain data, units in the names."""
        return {
            "tokens": self.tokens.as_data("tokens") if self.tokens else None,
            "device_hours": self.device_hours.as_data("device_hours") if self.device_hours else None,
            "cost": {**self.cost.as_data("cost"), "currency": self.currency} if self.cost else None,
            "most_device_hours": self.most_device_hours,
            "most_cost": self.most_cost,
            "reasons": list(self.reasons),
        }


def tokens_of_text(num_characters: int) -> Span:
    """Return the tokens of a text, from its length; the range is for three to five characters a token."""
    return Span(num_characters / 5, num_characters / CHARACTERS_A_TOKEN, num_characters / 3)


def generation_tokens(num_requests: int, prompt_characters: int, max_answer_tokens: int) -> Span:
    """Return the tokens of so many requests: prompts of a mean length, and answers of a quarter, half or all of it."""
    answers = Span(max_answer_tokens / 4, max_answer_tokens / 2, max_answer_tokens)
    prompt = tokens_of_text(prompt_characters)
    both = Span(prompt.low + answers.low, prompt.likely + answers.likely, prompt.high + answers.high)
    return both * num_requests


def training_tokens(num_samples: Span | None, sample_tokens: Span | None, num_epochs: int) -> Span | None:
    """Return the tokens of all epochs, or None if the number of samples or their length is not known."""
    return num_samples * sample_tokens * num_epochs if num_samples and sample_tokens else None


def training_flops_a_token(shape: ModelShape, training: Training) -> float:
    """Return the floating-point operations for one token, forward and backward.

    A multiplication with N weights takes 2N forward, 2N backward for the inputs and 2N for the weights
    (https://arxiv.org/abs/2001.08361, section 2.1); frozen weights save the last, gradient checkpointing repeats the first.
    Attention takes 12 operations for each layer, query element and token of the sequence (PaLM, appendix B).
    """
    weights, attention = 2 * shape.active_parameters, 4 * shape.num_layers * shape.query_size * training.max_seq_len
    passes = 2 + (training.algorithm == "sft") + training.gradient_checkpointing
    flops = weights * passes + attention * (3 + training.gradient_checkpointing)
    if training.has_adapters:
        flops += 6 * shape.lora_parameters(training.lora_r, training.target_modules)
    if training.algorithm == "osft":
        changed = shape.osft_parameters(training.unfreeze_rank_ratio, training.target_patterns)
        flops += 12 * changed  # PEFT multiplies with the changed and the original factors.
    if training.algorithm == "dpo":  # The reference model reads every token, too.
        flops += weights + attention
    return flops


def estimate_work(
    tokens: Span | None,
    flops_a_token: float | None,
    device: Device | None,
    num_devices: int,
    timeout_minutes: int | None = None,
) -> WorkEstimate:
    """Return hours and cost of so many tokens on a number of devices; without devices, only tokens.

    A utilization that is high gives hours that are low.
    """
    if device is None or not num_devices:
        return WorkEstimate(tokens, reasons=("hours are estimated for accelerators only",))
    hours, reasons = None, []
    if tokens is None:
        reasons.append("the number of samples is not known before the data is read")
    if flops_a_token is None:
        reasons.append("the model's sizes are not known")
    if device.tflops is None:
        reasons.append(f"the platform does not say the rate (tflops) of {device.name}")
    elif tokens and flops_a_token:
        rates = [device.tflops * 1e12 * 3600 * share for share in reversed(UTILIZATION)]
        hours = tokens * flops_a_token * Span(*(1 / rate for rate in rates))
    price = device.price_per_hour
    most = num_devices * timeout_minutes / 60 if timeout_minutes else None
    return WorkEstimate(
        tokens=tokens,
        device_hours=hours,
        cost=hours * price if hours and price is not None else None,
        currency=device.currency,
        most_device_hours=most,
        most_cost=most * price if most and price is not None else None,
        reasons=tuple(reasons),
    )
