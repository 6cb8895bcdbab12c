"""Pipeline + Platform -> Plan: fill in every default, pin every reference, compute every digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.digest import digest
from hubc.checks.names import check_names
from hubc.errors import SpecError
from hubc.graph import steps_of
from hubc.matrix import expand, merged
from hubc.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.source import Source
    from hubc.spec.pipeline import Pipeline
    from hubc.spec.platform import Platform


def build(pipeline: Pipeline, platform: Platform, source: Source, root: Path) -> Plan:
    """Return the plan of a pipeline without asking whether the platform can run it.

    `source` is the pipeline's file, `root` the repository's top. Raises SpecError with every fault of what it reads.
    """
    spec = pipeline.spec
    expanded = expand(pipeline, source)
    named = [(item.pipeline, item.values) for item in expanded] or [(pipeline, {})]
    if faults := [fault for each, values in named for fault in check_names(each, source, values)]:
        raise SpecError(list(dict.fromkeys(faults)))
    if spec.matrix is None:
        steps, variants = tuple(steps_of(pipeline, platform, source, root).values()), {}
    else:
        variants = {variant.name: variant.values for variant in expanded}
        steps = merged({item.name: steps_of(item.pipeline, platform, source, root) for item in expanded}, variants)
    return Plan(
        pipeline=pipeline.metadata.name,
        description=pipeline.metadata.description,
        platform=platform.metadata.name,
        spec_digest=digest(pipeline.model_dump(mode="json")),
        steps=steps,
        variants=variants,
        max_parallel=spec.matrix.max_parallel if spec.matrix else None,
        schedule=spec.schedule,
        notify=spec.notify,
        model_config=spec.model.config,
    )
