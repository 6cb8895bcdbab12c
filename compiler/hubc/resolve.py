"""Pipeline + Platform -> Plan: fill in every default, pin every reference, compute every digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.digest import digest
from hub_steps.parameters import Declared, SecretReference
from hubc.checks.plan import check_plan
from hubc.errors import SpecError
from hubc.inputs import model_input, taxonomy_input
from hubc.plan import External, Plan, Reference, Resources, Step, material

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.contract import Kind
    from hubc.source import Source
    from hubc.spec.pipeline import Evaluate, Generate, Pipeline, Publish, Train
    from hubc.spec.pipeline import Resources as WantedResources
    from hubc.spec.platform import Platform


def resolve(pipeline: Pipeline, platform: Platform, source: Source, root: Path) -> Plan:
    """Return the plan of a pipeline on a platform; `source` is the pipeline's file, `root` the repository's top.

    Raises SpecError with every fault of the taxonomy and of the plan.
    """
    plan = build(pipeline, platform, source, root)
    if found := check_plan(plan, pipeline, platform, source):
        raise SpecError(found)
    return plan


def build(pipeline: Pipeline, platform: Platform, source: Source, root: Path) -> Plan:
    """Return the plan of a pipeline without asking whether the platform can run it.

    Raises SpecError with every fault of the taxonomy.
    """
    builder = _Builder(platform)
    _add_steps(builder, pipeline, source, root)
    return Plan(
        pipeline=pipeline.metadata.name,
        description=pipeline.metadata.description,
        platform=platform.metadata.name,
        spec_digest=digest(pipeline.model_dump(mode="json")),
        steps=tuple(builder.steps.values()),
    )


def _add_steps(builder: _Builder, pipeline: Pipeline, source: Source, root: Path) -> None:
    spec = pipeline.spec
    base = model_input(spec.model.location, ("spec", "model", "location"), source)
    taxonomy = taxonomy_input(spec.taxonomy.path, ("spec", "taxonomy", "path"), source, root)
    asked: dict[str, Reference | External] = {"taxonomy": taxonomy}
    if served := spec.generate.teacher.serve:
        asked["teacher"] = model_input(served.location, ("spec", "generate", "teacher", "serve", "location"), source)
    builder.add("generate", "generate", spec.generate, asked)
    if spec.evaluate:
        builder.add("evaluate-base", "evaluate", spec.evaluate, {"model": base, "taxonomy": taxonomy})
    if spec.train:
        builder.add("train", "train", spec.train, {"model": base, "data": Reference("generate", "train.jsonl")})
    if spec.train and spec.evaluate:
        builder.add("evaluate-tuned", "evaluate", spec.evaluate, {
            "model": Reference("train", "model"), "taxonomy": taxonomy,
            "baseline": Reference("evaluate-base", "evaluation.json")})  # fmt: skip
    if spec.publish:
        about = {"description": pipeline.metadata.description}
        builder.add("publish", "publish", spec.publish, {
            "generation": Reference("generate", ""), "training": Reference("train", ""),
            "evaluation": Reference("evaluate-tuned", ""),
            "about": External(documents=about, key=f"sha256:{digest(about)}")})  # fmt: skip


class _Builder:
    """Collects the steps of a plan; a step may refer to those that were added before it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.steps: dict[str, Step] = {}

    def add(
        self, id: str, kind: Kind, section: Generate | Train | Evaluate | Publish, inputs: dict[str, Reference | External]
    ) -> None:
        parameters = section.model_dump(mode="json", exclude={"resources"})
        images = self.platform.spec.argo.images if self.platform.spec.argo else None
        self.steps[id] = Step(
            id=id,
            kind=kind,
            parameters=parameters,
            inputs=inputs,
            resources=self._resources(section.resources),
            secrets=tuple(_secrets(section)),
            image=getattr(images, kind) if images else None,
            material=material(kind, parameters, inputs, self.steps),
        )

    def _resources(self, wanted: WantedResources) -> Resources:
        defaults, kinds = self.platform.spec.defaults, self.platform.spec.accelerators
        only = next(iter(kinds)) if len(kinds) == 1 else None
        return Resources(
            nodes=getattr(wanted, "nodes", 1),
            cpus=wanted.cpus or defaults.cpus,
            memory_gib=wanted.memory_gib or defaults.memory_gib,
            accelerators=wanted.accelerators,
            accelerator=(wanted.accelerator or only) if wanted.accelerators else None,
            timeout_minutes=wanted.timeout_minutes or defaults.timeout_minutes,
        )


def _secrets(value: Declared) -> list[SecretReference]:
    """Return every secret reference in a section of the spec."""
    found: list[SecretReference] = []
    for name in type(value).model_fields:
        item = getattr(value, name)
        if isinstance(item, SecretReference):
            found.append(item)
        elif isinstance(item, Declared):
            found.extend(_secrets(item))
    return found
