"""Rules over a whole plan: what the platform cannot do, and what could not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.plan import Plan, Step
    from hubc.source import Source
    from hubc.spec.pipeline import Pipeline
    from hubc.spec.platform import Platform


def check_plan(plan: Plan, pipeline: Pipeline, platform: Platform | None, source: Source) -> list[Diagnostic]:
    """Return the faults of a plan, each once, at the place in the pipeline's file that causes it.

    Without a platform, these are the faults that it would have on every one.
    """
    found = dict.fromkeys(_batch(plan, source))
    if platform is not None:
        found.update(dict.fromkeys(_local_paths(pipeline, platform, source)))
        for step in plan.steps:
            for rule in (_limits, _accelerator):
                found.update(dict.fromkeys(rule(step, platform, source)))
    return list(found)


def _limits(step: Step, platform: Platform, source: Source) -> Iterator[Diagnostic]:
    """`platform-limit`: a step asks for more than the platform allows."""
    name = platform.metadata.name
    limits = platform.spec.limits
    for field in ("nodes", "accelerators", "timeout_minutes"):
        wanted, most = getattr(step.resources, field), getattr(limits, field)
        if wanted > most:
            yield source.diagnostic(
                ("spec", step.kind, "resources", field), "platform-limit",
                f"'{step.kind}' asks for {field} {wanted}, platform '{name}' allows {most}",
                "ask for less, or choose another platform")  # fmt: skip


def _accelerator(step: Step, platform: Platform, source: Source) -> Iterator[Diagnostic]:
    """`unknown-accelerator`: the platform does not have this kind."""
    kinds = platform.spec.accelerators
    if step.resources.accelerators and step.resources.accelerator not in kinds:
        wanted = step.resources.accelerator
        message = f"the platform has no accelerator '{wanted}'" if wanted else "which kind of accelerator is not said"
        known = ", ".join(sorted(kinds)) or "none"
        yield source.diagnostic(
            ("spec", step.kind, "resources", "accelerator"), "unknown-accelerator", message,
            f"platform '{platform.metadata.name}' has: {known}")  # fmt: skip


def _batch(plan: Plan, source: Source) -> Iterator[Diagnostic]:
    """`effective-batch-size`: it cannot be shared out evenly over the training processes."""
    for step in plan.steps:
        processes = step.resources.nodes * step.resources.processes_per_node
        if step.kind == "train" and (size := step.parameters["effective_batch_size"]) % processes:
            yield source.diagnostic(
                ("spec", "train", "effective_batch_size"), "effective-batch-size",
                f"effective_batch_size {size} is not divisible by the {processes} training processes",
                f"use a multiple of {processes}")  # fmt: skip


def _local_paths(pipeline: Pipeline, platform: Platform, source: Source) -> Iterator[Diagnostic]:
    """`local-path`: a folder of one machine means nothing to the pods of a cluster."""
    if platform.spec.local:
        return
    spec = pipeline.spec
    served = spec.generate.teacher.serve
    places = {
        ("spec", "model", "location"): spec.model.location,
        ("spec", "generate", "teacher", "serve", "location"): served.location if served else "",
        ("spec", "publish", "location"): spec.publish.location if spec.publish else "",
    }
    for place, uri in places.items():
        if uri.startswith("file://"):
            yield source.diagnostic(
                place, "local-path", f"'{uri}' is a folder of one machine, and platform '{platform.metadata.name}' has many",
                "use a location that every machine can reach; for publishing, a relative path")  # fmt: skip
