"""Rules over the memory that steps are expected to need; `hubc.estimates` says how much trainings do."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.estimates.step import StepEstimate
    from hubc.plan import Step

RULE = "memory-too-small"


def sizes(view: View) -> Iterator[Finding]:
    """`memory-too-small`: the training would most likely be stopped for want of memory, after everything before it."""
    if view.platform is None or not view.trainings:
        return
    from hubc.estimates.find_config import config_in_repository
    from hubc.plan_views.estimated import estimates_of

    path = view.plan.model_config
    config = config_in_repository(view.root, path) if path else None
    estimates = estimates_of(replace(view.plan, steps=view.steps), view.platform, config)
    for step in view.steps:
        if step.kind == "train" and step.id in estimates and (fault := _fault(step, estimates[step.id])):
            where = "the training" if step.section == ("spec", "train") else f"the training '{step.id}'"
            yield Finding(("spec", "train", "resources"), RULE, f"{where} does not fit: {fault[0]}", fault[1], at_key=True)


def weights(view: View) -> Iterator[Finding]:
    """`memory-too-small`: the model that is to be measured could not even be loaded."""
    measuring = [step.resources for step in view.steps if step.kind == "evaluate"]
    size = _num_parameters(view) if view.platform and measuring else None
    if view.platform is None or size is None:
        return
    from hubc.estimates.memory import GIB, gib

    asked = measuring[0]
    device = view.platform.spec.accelerators.get(asked.accelerator or "") if asked.devices else None
    # The steps load models in float32 on the CPU, in bfloat16 on an accelerator.
    needed = size * (2 if asked.devices else 4)
    limit = (device.memory_gib if device else None) if asked.devices else asked.memory_gib
    if limit is not None and needed > limit * GIB:
        where = f"{asked.accelerator} has" if asked.devices else "the step has"
        remedy = "name a larger accelerator" if asked.devices else f"write 'memory_gib: {ceil(1.2 * needed / GIB)}'"
        has_devices = any(kind.resource for kind in view.platform.spec.accelerators.values())
        other = ", or 'accelerators: 1'" if has_devices and not asked.accelerators else ""
        yield Finding(("spec", "evaluate", "resources"), RULE,
                      f"the evaluation does not fit: the model's weights have {gib(needed)} GiB, {where} {limit:g} GiB",
                      f"{remedy}{other} below 'resources', or take a smaller model", at_key=True)  # fmt: skip


def _num_parameters(view: View) -> int | None:
    """Return the size of the pipeline's model; None where its config is not known here."""
    from hubc.estimates.find_config import config_in_repository, find_config
    from hubc.estimates.model_shape import ShapeError, read_shape

    path = view.plan.model_config
    config = config_in_repository(view.root, path) if path else find_config(view.spec.model.location)
    try:
        return read_shape(config).num_parameters if config else None
    except ShapeError:
        return None


def _fault(step: Step, estimate: StepEstimate) -> tuple[str, str] | None:
    """Return how much is needed and how much there is, and what to do; None if it fits, or nobody can tell."""
    from hubc.estimates.memory import GIB, gib

    if estimate.memory is None:
        return None
    likely, device = estimate.memory.likely_bytes, estimate.device
    if device and device.memory_gib and likely > device.memory_gib * GIB:
        single, last = estimate.advice[0], estimate.advice[-1]
        return f"{gib(likely)} GiB likely, {device.name} has {device.memory_gib:g} GiB", (
            single if single.endswith(", fits") else last
        )
    resources = step.resources
    likely *= resources.processes_per_node
    if not resources.devices and likely > resources.memory_gib * GIB:
        message = f"{gib(likely)} GiB likely, the step has {resources.memory_gib} GiB"
        return message, f"write 'memory_gib: {ceil(likely / GIB)}' or more below 'resources', or take a smaller model"
    return None
