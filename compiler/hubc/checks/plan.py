"""Rules over a whole plan: what could not work, what nobody can have meant, and what the platform cannot do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hubc.checks import (
    budgets,
    custom,
    data,
    evaluation,
    held_out,
    lengths,
    matrix,
    memory,
    names,
    network,
    publishing,
    resources,
    rows,
    schedule,
    serving,
    training,
)
from hubc.checks.view import View
from hubc.swept import located

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.checks.view import Finding, Rule
    from hubc.diagnostics import Diagnostic
    from hubc.matrix import Variant
    from hubc.resolve import Built
    from hubc.source import Source
    from hubc.spec.pipeline import Pipeline
    from hubc.spec.platform import Platform

RULES: tuple[Rule, ...] = (
    resources.limits,
    resources.accelerators,
    serving.accelerators,
    resources.emulated,
    resources.batches,
    resources.quantization,
    resources.kernels,
    resources.idle_accelerators,
    resources.model_code,
    memory.sizes,
    memory.weights,
    training.ineffective,
    training.checkpoint_policy,
    training.learning_rates,
    custom.scripts,
    custom.variables,
    custom.packages,
    lengths.samples,
    lengths.contexts,
    data.formats,
    rows.first_rows,
    data.system_prompts,
    data.suffixes,
    data.unused,
    data.nothing,
    data.ineffective,
    data.unreachable_pairs,
    held_out.trained_on,
    evaluation.subjects,
    evaluation.gates,
    names.datasets,
    names.candidates,
    names.suites,
    network.urls,
    network.paths,
    publishing.unavailable,
)
"""Rules that are asked of each variant of a matrix."""
RULES_OF_ALL: tuple[Rule, ...] = (
    publishing.shared_targets,
    schedule.cron,
    schedule.progress,
    matrix.exclusions,
    matrix.swept,
    budgets.budgets,
)
"""Rules over all variants together."""
MAX_NAMED = 3
"""Variants that a message names."""


def check_plan(built: Built, pipeline: Pipeline, platform: Platform | None, source: Source, root: Path) -> list[Diagnostic]:
    """Return the faults of a plan, each once, at the place in the pipeline's files that causes it.

    Without a platform, these are the faults that it would have on every one.
    """
    plan, variants = built.plan, built.variants
    whole = View(pipeline, plan, platform, root)
    found: dict[Finding, list[Variant]] = {finding: [] for rule in RULES_OF_ALL for finding in rule(whole)}
    for variant in variants:
        view = View(variant.pipeline, plan, platform, root, variant.name)
        for finding in dict.fromkeys(finding for rule in RULES for finding in rule(view)):
            place = located(finding.place, variant.chosen)
            if finding.at_key and place[:3] == ("spec", "matrix", "fields"):
                place = place[:4]
            found.setdefault(replace(finding, place=place), []).append(variant)
    if not variants:
        found |= {finding: [] for rule in RULES for finding in rule(whole)}
    return [
        source.diagnostic(item.place, item.rule, item.message + _owners(item, owners, variants), item.help, key=item.at_key)
        for item, owners in found.items()
    ]


def _owners(finding: Finding, owners: list[Variant], variants: list[Variant]) -> str:
    """Return which variants have a fault, if not all that have the value at fault have it."""
    alike = variants
    if owners and finding.place[:3] == ("spec", "matrix", "fields") and len(finding.place) > 4:
        path = str(finding.place[3])
        alike = [item for item in variants if item.values[path] == owners[0].values[path]]
    if not owners or len(owners) == len(alike):
        return ""
    names = ", ".join(f"'{item.name}'" for item in owners[:MAX_NAMED]) + (", …" if len(owners) > MAX_NAMED else "")
    return f", in variant {names}" if len(owners) == 1 else f", in {len(owners)} of {len(variants)} variants: {names}"
