"""What the steps of a plan are expected to need, from their parameters, the model's config and the platform."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from hubc.estimates.advice import advice
from hubc.estimates.find_config import find_config
from hubc.estimates.memory import GIB, estimate_training
from hubc.estimates.model_shape import ModelShape, ShapeError, read_shape
from hubc.estimates.step import StepEstimate
from hubc.estimates.training import Training
from hubc.estimates.work import Device, Span, WorkEstimate, estimate_work, training_flops_a_token
from hubc.plan import External
from hubc.plan_views import amounts

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.plan import Plan, Step
    from hubc.spec.platform import Platform

NO_CONFIG = "the model's config.json is not on this machine (name a copy in the repository as spec.model.config)"


def estimates_of(plan: Plan, platform: Platform, config: Path | None = None) -> dict[str, StepEstimate]:
    """Return the estimates of the steps that train or use accelerators; nothing is loaded and nothing fetched.

    `config` is the base model's `config.json`; without it, the one that this machine has is taken.
    """
    shapes: dict[str, ModelShape | ShapeError] = {}
    found: dict[str, StepEstimate] = {}
    for step in plan.steps:
        device = _device(step, platform)
        if step.kind == "train" and step.parameters.get("algorithm") != "custom":
            uri = _base_model(plan, step)
            if uri not in shapes:
                shapes[uri] = _shape(config or find_config(uri))
            tokens = amounts.trained(plan, step)
            found[step.id] = _training(_told(plan, step), step, shapes[uri], device, tokens)
        elif step.kind == "generate":
            found[step.id] = StepEstimate(work=_work(step, device, amounts.generated(step)))
        elif device:
            tokens = amounts.asked(step) if step.kind == "evaluate" else None
            found[step.id] = StepEstimate(work=_work(step, device, tokens))
    return found


def _training(
    told: Training, step: Step, shape: ModelShape | ShapeError, device: Device | None, tokens: Span | None
) -> StepEstimate:
    """Return the estimate of a training that reads so many tokens in an epoch."""
    tokens = tokens * step.parameters["num_epochs"] if tokens else None
    try:
        if isinstance(shape, ShapeError):
            raise shape
        size = int(device.memory_gib * GIB) if device and device.memory_gib else None
        memory, changes = estimate_training(shape, told), advice(shape, told, size) if size else ()
        work = _work(step, device, tokens, training_flops_a_token(shape, told))
    except ShapeError as error:
        return StepEstimate(work=_work(step, device, tokens), device=device, reasons=(str(error),))
    return StepEstimate(memory, work, changes, device)


def _work(step: Step, device: Device | None, tokens: Span | None, flops_a_token: float | None = None) -> WorkEstimate | None:
    """Return tokens, hours and cost; why something is missing is said of trainings only, where somebody expects it."""
    if device is None:
        return WorkEstimate(tokens) if tokens else None
    number = step.resources.nodes * step.resources.devices
    work = estimate_work(tokens, flops_a_token, device, number, step.resources.timeout_minutes)
    return work if step.kind == "train" else replace(work, reasons=())


def _told(plan: Plan, step: Step) -> Training:
    """Return what an estimate needs to know of a training step."""
    told: dict[str, Any] = {**step.parameters, **step.parameters["parallelism"]}
    devices = step.resources.nodes * step.resources.processes_per_node
    told["devices"], told["on_accelerator"] = devices, step.resources.devices > 0
    share = max(1, told["effective_batch_size"] // devices)
    told["micro_batch_size"] = micro = _micro_batch_size(share, told["micro_batch_size"])
    told["gradient_accumulation_steps"] = share // micro
    told["longest_sample_tokens"] = amounts.longest_sample(plan, step)
    if told.get("is_pretraining"):
        told["max_seq_len"] = told["block_size"]
    known: dict[str, Any] = {field.name: told[field.name] for field in fields(Training) if field.name in told}
    known |= {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return Training(**known)


def _micro_batch_size(share: int, most: int) -> int:
    """Return the samples that a process takes at once: its share of a batch in equal parts, as the trainer does."""
    return next(size for size in range(min(share, most), 0, -1) if share % size == 0)


def _device(step: Step, platform: Platform) -> Device | None:
    name = step.resources.accelerator
    if step.resources.is_emulated or name is None or name not in platform.spec.accelerators:
        return None
    kind = platform.spec.accelerators[name]
    return Device(name, kind.memory_gib, kind.tflops, kind.price_per_hour, platform.spec.currency)


def _base_model(plan: Plan, step: Step) -> str:
    """Return the location of the model that a step, or the steps before it, started from."""
    value = step.inputs.get("model")
    while value is not None and not isinstance(value, External):
        value = plan.step(value.step).inputs.get("model")
    return (value.uri if value else None) or ""


def _shape(config: Path | None) -> ModelShape | ShapeError:
    if config is None:
        return ShapeError(NO_CONFIG)
    try:
        return read_shape(config)
    except ShapeError as error:
        return error
