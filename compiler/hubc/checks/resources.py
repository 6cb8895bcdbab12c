"""Rules over what the steps of a plan ask of a platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.view import Finding
from hubc.diagnostics import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.plan import Step
    from hubc.source import Location

WITH_RESOURCES = frozenset({"generate", "data", "train", "evaluate", "publish"})
EMULATED = "emulated-accelerator"
COMPUTES_NOTHING = frozenset({"data", "publish"})
"""Sections whose steps only copy: nothing in them runs on an accelerator."""


def limits(view: View) -> Iterator[Finding]:
    """`platform-limit`: the platform would refuse the step, or let it wait for ever."""
    if view.platform is None:
        return
    name, most = view.platform.metadata.name, view.platform.spec.limits
    for step in view.steps:
        asks = f"'{step.section[1]}' asks for"
        for field in ("nodes", "accelerators", "timeout_minutes"):
            wanted, limit = getattr(step.resources, field), getattr(most, field)
            if wanted > limit:
                yield Finding(resource_place(step, field), "platform-limit",
                              f"{asks} {field} {wanted}, platform '{name}' allows {limit}",
                              f"ask for {f'at most {limit}' if limit else 'none'}, or choose another platform")  # fmt: skip
        if most.accelerator_hours is not None:
            yield from _hours(step, name, most.accelerator_hours)


def _hours(step: Step, platform: str, most: int) -> Iterator[Finding]:
    asked = step.resources
    accelerators = asked.nodes * asked.devices
    hours = accelerators * asked.timeout_minutes / 60
    if hours <= most:
        return
    minutes = most * 60 // accelerators
    message = (f"'{step.section[1]}' may take {hours:g} accelerator-hours ({accelerators} accelerators for "
               f"{asked.timeout_minutes} minutes), platform '{platform}' allows {most}")  # fmt: skip
    shorter = f"write 'timeout_minutes: {minutes}', or " if minutes else ""
    yield Finding(resource_place(step, "timeout_minutes"), "platform-limit", message, f"{shorter}ask for fewer accelerators")


def accelerators(view: View) -> Iterator[Finding]:
    """`unknown-accelerator`: no node has this kind, or nobody can tell which kind is meant."""
    if view.platform is None:
        return
    name, kinds = view.platform.metadata.name, sorted(view.platform.spec.accelerators)
    for step in view.steps:
        wanted = step.resources.accelerator
        # Where there are none at all, `platform-limit` says so.
        if not step.resources.accelerators or wanted in kinds or not (kinds or view.platform.spec.limits.accelerators):
            continue
        message = f"platform '{name}' has no accelerator '{wanted}'" if wanted else "which kind of accelerator is not said"
        near = nearest(wanted or "", kinds)
        remedy = (
            f"did you mean '{near}'?"
            if near
            else f"write 'accelerator: NAME'; the platform has: {', '.join(kinds) or 'none'}"
        )
        yield Finding(resource_place(step, "accelerator"), "unknown-accelerator", message, remedy)


def emulated(view: View) -> Iterator[Finding]:
    """`emulated-accelerator`: enough to try a pipeline, and no place to train a real model."""
    if view.platform is None:
        return
    for step in view.steps:
        if step.resources.is_emulated:
            asked = step.resources
            yield Finding(
                resource_place(step, "accelerators"),
                EMULATED,
                f"'{step.section[1]}' asks for {asked.accelerators} {asked.accelerator}, which platform "
                f"'{view.platform.metadata.name}' emulates on the CPU",
                "enough to try a pipeline with a tiny model; for a real one, choose a platform that has them",
            )


def batches(view: View) -> Iterator[Finding]:
    """`effective-batch-size`: each process must get as many samples, or the gradients would not count alike."""
    for training in view.trainings:
        processes = training.resources.nodes * training.resources.processes_per_node
        size = training.parameters.effective_batch_size
        if training.parameters.algorithm != "custom" and size % processes:
            near = [str(count) for count in (size // processes * processes, (size // processes + 1) * processes) if count]
            yield Finding(training.place("effective_batch_size"), "effective-batch-size",
                          f"effective_batch_size {size} is not divisible by the {processes} training processes",
                          f"use a multiple of {processes}, such as {' or '.join(near)}")  # fmt: skip


def quantization(view: View) -> Iterator[Finding]:
    """`quantization-on-cpu`: quantized weights save memory that a CPU has, for the price of being very slow there."""
    for training in view.trainings:
        if training.parameters.algorithm == "qlora_sft" and not training.resources.accelerators:
            yield Finding(training.place("algorithm"), "quantization-on-cpu",
                          "'qlora_sft' quantizes the model, and the training has no accelerator",
                          "use 'lora_sft', or ask for an accelerator: 'resources: {accelerators: 1}'")  # fmt: skip


def kernels(view: View) -> Iterator[Finding]:
    """`flash-attention-on-cpu`, `emulated-accelerator`: a CPU has no such kernel, so the training would fail in the end."""
    for training in view.trainings:
        told = training.parameters
        for field, is_set, instead in (
            ("attention", told.attention == "flash_attention_2", "use 'sdpa'"),
            ("use_liger", told.use_liger, "remove it"),
            ("precision", told.precision == "fp16", "use 'bf16' or 'fp32'"),
        ):
            if not is_set or training.resources.devices or told.algorithm == "custom":
                continue
            value = getattr(told, field)
            needs = f"'{field}: {str(value).lower() if value is True else value}' needs an accelerator, and "
            if training.resources.is_emulated:
                yield Finding(training.place(field), EMULATED, f"{needs}the CPU only stands in for one: it would fail",
                              f"{instead} to try the pipeline here, or choose a platform that has accelerators")  # fmt: skip
            else:
                yield Finding(training.place(field), "flash-attention-on-cpu", f"{needs}the training has none",
                              f"{instead}, or ask for an accelerator: 'resources: {{accelerators: 1}}'")  # fmt: skip


def idle_accelerators(view: View) -> Iterator[Finding]:
    """`ineffective-parameter`: accelerators that stand idle, or that were not asked for although their kind is named."""
    for name in sorted(WITH_RESOURCES):
        if (section := getattr(view.spec, name)) is None:
            continue
        place: Location = ("spec", name, "resources")
        asked = section.resources
        if asked.accelerator is not None and not asked.accelerators:
            yield Finding((*place, "accelerator"), "ineffective-parameter",
                          f"'accelerator: {asked.accelerator}' asks for nothing: 'accelerators' is 0",
                          "say how many: 'accelerators: 1'", at_key=True)  # fmt: skip
        if asked.accelerators and (name in COMPUTES_NOTHING or (name == "generate" and _asks_only(view))):
            yield Finding((*place, "accelerators"), "ineffective-parameter",
                          f"the accelerators of '{name}' would stand idle: the step computes nothing on them",
                          "remove 'accelerators'", at_key=True)  # fmt: skip


def _asks_only(view: View) -> bool:
    """Tell whether generation sends its requests to servers that are already there."""
    return all(model.serve is None for place, model in view.asked() if place[1] == "generate")


def model_code(view: View) -> Iterator[Finding]:
    """`model-code`: code that comes with a model may do anything where it runs, so the platform decides."""
    if view.platform and view.spec.model.trust_remote_code and not view.platform.spec.allow_model_code:
        yield Finding(("spec", "model", "trust_remote_code"), "model-code",
                      f"the model's own code is to run, which platform '{view.platform.metadata.name}' does not allow",
                      "use a model that Transformers knows, or a platform with 'allow_model_code: true'")  # fmt: skip


def resource_place(step: Step, field: str) -> Location:
    """Return where a step's resources are asked for; steps without a section of their own have the platform's defaults."""
    section = step.section[:2]
    return (*section, "resources", field) if section[-1] in WITH_RESOURCES and step.kind != "gate" else step.section
