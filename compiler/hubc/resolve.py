"""Pipeline + Platform -> Plan: fill in every default, pin every reference, compute every digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.digest import digest
from hubc.checks.names import check_names
from hubc.errors import SpecError
from hubc.graph import steps_of
from hubc.matrix import expand, merged
from hubc.plan import Plan
from hubc.swept import SweptSource

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.diagnostics import Diagnostic
    from hubc.graph import Memory
    from hubc.matrix import Variant
    from hubc.plan import Step
    from hubc.source import Source
    from hubc.spec.pipeline import Pipeline
    from hubc.spec.platform import Platform


@dataclass(frozen=True)
class Built:
    """A plan, and the faults of what it was made of; with faults it is only there so that the rules find the rest, too."""

    plan: Plan
    variants: list[Variant]
    faults: list[Diagnostic]


def build(pipeline: Pipeline, platform: Platform, source: Source, root: Path) -> Built:
    """Return the plan of a pipeline without asking whether the platform can run it.

    `source` is the pipeline's file, `root` the repository's top. Where the matrix has faults, the plan is that without it.
    """
    spec = pipeline.spec
    faults: list[Diagnostic] = []
    variants: list[Variant] = []
    try:
        variants = expand(pipeline, source)
    except SpecError as error:
        faults += error.diagnostics
    graphs: dict[str, dict[str, Step]] = {}
    memory: Memory = {}
    for each, chosen, name in [(item.pipeline, item.chosen, item.name) for item in variants] or [(pipeline, {}, "")]:
        swept = SweptSource.of(source, chosen)
        faults += check_names(each, swept)
        graphs[name], found = steps_of(each, platform, swept, root, memory)
        faults += found
    values_of = {variant.name: variant.values for variant in variants}
    plan = Plan(
        pipeline=pipeline.metadata.name,
        description=pipeline.metadata.description,
        platform=platform.metadata.name,
        spec_digest=digest(pipeline.model_dump(mode="json")),
        steps=merged(graphs, values_of) if variants else tuple(graphs[""].values()),
        variants=values_of,
        max_parallel=spec.matrix.max_parallel if spec.matrix else None,
        schedule=spec.schedule,
        notify=spec.notify,
        model_config=spec.model.config,
    )
    return Built(plan, variants, list(dict.fromkeys(faults)))
