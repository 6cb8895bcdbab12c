"""Pipeline + Platform -> Plan: fill in every default, pin every reference, compute every digest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.digest import digest
from hub_steps.locations import ModelLocation
from hub_steps.parameters import Declared, SecretReference
from hub_steps.taxonomy import KnowledgeLeaf
from hubc.checks.plan import check_plan
from hubc.checks.text import check_text
from hubc.errors import SpecError
from hubc.plan import Plan, Reference, Resources, Source, Step, material
from hubc.repository import display_name, leaf_files
from hubc.source import parse
from hubc.spec.document import validate

if TYPE_CHECKING:
    from hub_steps.contract import Kind
    from hubc.diagnostics import Diagnostic
    from hubc.source import Source as YamlSource
    from hubc.spec.pipeline import Evaluate, Generate, Pipeline, Publish, Train
    from hubc.spec.pipeline import Resources as WantedResources
    from hubc.spec.platform import Platform


def resolve(pipeline: Pipeline, platform: Platform, source: YamlSource, root: Path) -> Plan:
    """Return the plan of a pipeline on a platform; `source` is the pipeline's file, `root` the repository's top.

    Raises SpecError with every fault of the taxonomy and of the plan.
    """
    taxonomy = _taxonomy(pipeline, source, root)
    builder = _Builder(platform)
    _add_steps(builder, pipeline, taxonomy)
    plan = Plan(
        pipeline=pipeline.metadata.name,
        description=pipeline.metadata.description,
        platform=platform.metadata.name,
        spec_digest=digest(pipeline.model_dump(mode="json")),
        steps=tuple(builder.steps.values()),
    )
    if found := check_plan(plan, pipeline, platform, source):
        raise SpecError(found)
    return plan


def _add_steps(builder: _Builder, pipeline: Pipeline, taxonomy: Source) -> None:
    spec = pipeline.spec
    base = _base_model(spec.model.location)
    builder.add("generate", "generate", spec.generate, {"taxonomy": taxonomy})
    if spec.evaluate:
        builder.add("evaluate-base", "evaluate", spec.evaluate, {"model": base, "taxonomy": taxonomy})
    if spec.train:
        builder.add("train", "train", spec.train, {"model": base, "data": Reference("generate", "train.jsonl")})
    if spec.train and spec.evaluate:
        builder.add("evaluate-tuned", "evaluate", spec.evaluate, {
            "model": Reference("train", "model"), "taxonomy": taxonomy,
            "baseline": Reference("evaluate-base", "evaluation.json")})  # fmt: skip
    if spec.publish:
        builder.add("publish", "publish", spec.publish, {
            "generation": Reference("generate", ""), "training": Reference("train", ""),
            "evaluation": Reference("evaluate-tuned", "")})  # fmt: skip


class _Builder:
    """Collects the steps of a plan; a step may refer to those that were added before it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.steps: dict[str, Step] = {}

    def add(
        self, id: str, kind: Kind, section: Generate | Train | Evaluate | Publish, inputs: dict[str, Reference | Source]
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


def _base_model(location: str) -> Source:
    parsed = ModelLocation.parse(location)
    if parsed.scheme == "file":
        return Source(uri=location, key=f"file:{_fingerprint(Path(parsed.path))}")
    return Source(uri=location, key=str(parsed))


def _fingerprint(folder: Path) -> str:
    """Return a digest of the names, sizes and times in a folder; the weights themselves are not read."""
    entries: list[Any] = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            state = path.stat(follow_symlinks=False)
            entries.append([str(path.relative_to(folder)), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(repr(sorted(entries)).encode()).hexdigest()


def _taxonomy(pipeline: Pipeline, source: YamlSource, root: Path) -> Source:
    """Read and check every leaf.

    Raises SpecError with the faults of all leaves.
    """
    path, place = pipeline.spec.taxonomy.path, ("spec", "taxonomy", "path")
    if not (root / path).resolve().is_relative_to(root.resolve()):
        raise SpecError([source.diagnostic(place, "path-outside-repository", f"'{path}' leads out of the repository",
                                           "keep the taxonomy inside the repository")])  # fmt: skip
    files = leaf_files(root, path)
    if not files:
        raise SpecError([source.diagnostic(place, "empty-taxonomy", f"no leaf 'knowledge/**/qna.yaml' below '{path}'",
                                           f"paths start at the repository's top, {root}; check the path")])  # fmt: skip
    documents: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for file in files:
        try:
            documents[str(file.parent.relative_to(root / path))] = read_leaf(file).model_dump(mode="json")
        except SpecError as error:
            found.extend(error.diagnostics)
    if found:
        raise SpecError(found)
    return Source(documents=documents, key=f"sha256:{digest(documents)}")


def read_leaf(file: Path) -> KnowledgeLeaf:
    """Read one leaf of a taxonomy.

    Raises SpecError with every fault of the leaf.
    """
    leaf = parse(file, name=display_name(file))
    return validate(leaf, KnowledgeLeaf, extra=check_text(leaf, braces=False))
