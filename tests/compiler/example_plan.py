"""A plan made by hand, with a matrix and every kind of decision: what shows plans is tested apart from what compiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hub_steps.parameters import SecretReference
from hubc.diagnostics import Diagnostic
from hubc.estimates.memory import MemoryEstimate
from hubc.estimates.step import StepEstimate
from hubc.estimates.work import Device, Span, WorkEstimate
from hubc.plan import External, Plan, Reference, Resources, Step
from hubc.plan_views.changes import Change
from hubc.plan_views.shown import Shown
from hubc.reuse import Decision

if TYPE_CHECKING:
    from hub_steps.contract import Kind

SMALL = Resources(1, 4, 16, 0, None, 60)
LARGE = Resources(2, 16, 128, 8, "h100", 600)
MODEL = External(key="hf://acme/base@" + "a" * 40, uri="hf://acme/base@" + "a" * 40)
LEAVES = External(key="sha256:" + "b" * 64, documents={"knowledge/tides": {"domain": "sea"}, "knowledge/moons": {}})
AT = 1_790_000_000.0
VARIANTS = {"learning-rate-1e-4": {"train.learning_rate": 1e-4}, "learning-rate-2e-4": {"train.learning_rate": 2e-4}}


ESTIMATE = StepEstimate(
    memory=MemoryEstimate("a device", {"parameters": 20 << 30, "activations": 4 << 30}, 22 << 30, 28 << 30),
    work=WorkEstimate(Span(1e6, 2e6, 3e6), Span(8, 16, 32), Span(20, 40, 80), "EUR", 160.0, 400.0),
    device=Device("h100", 80, 989, 2.5, "EUR"),
)


def step(id: str, kind: Kind, resources: Resources = SMALL, *, variants: tuple[str, ...] = (), **inputs: Any) -> Step:
    """Return a step whose cache key is made of its id."""
    return Step(id=id, kind=kind, parameters={"seed": 42}, inputs=inputs, resources=resources, secrets=(), image=None,
                material={"id": id}, variants=variants)  # fmt: skip


def example_plan(*, matrix: bool = True) -> Plan:
    """Return a plan of five steps, two of them variants of one another."""
    teacher = SecretReference(secret="teacher", key="token")
    generate = step("generate", "generate", taxonomy=LEAVES)
    generate = Step(**vars(generate) | {"secrets": (teacher,)})
    trains = [
        step(f"train-{name}", "train", LARGE, variants=(name,), model=MODEL, data=Reference("generate", "train.jsonl"))
        for name in VARIANTS
    ]
    publish = step("publish", "publish", training=Reference(trains[0].id, ""))
    warning = Diagnostic("specs/tides.yaml", 7, 3, "unpinned-revision", "the base model is large", "take a smaller one")
    return Plan(
        pipeline="tides",
        description="Teach tides.",
        platform="cluster",
        spec_digest="c" * 64,
        steps=(step("evaluate-base", "evaluate", model=MODEL, taxonomy=LEAVES), generate, *trains, publish),
        variants=VARIANTS if matrix else {},
        max_parallel=4 if matrix else None,
        warnings=(warning,),
    )


def example(*, against: Any = None) -> Shown:
    """Return the plan with one decision of every kind and one estimate."""
    changes = (
        Change("code", "code_version", 1, 2),
        Change("parameter", "samples_per_seed", 10, 12),
        Change("parameter", "filters.min_grounding", None, 0.75, "added"),
        Change("parameter", "stop", ["a"], None, "removed"),
        Change("input", "pipeline", "sha256:" + "1" * 64, "sha256:" + "2" * 64),
        Change("document", "taxonomy/knowledge/moons", None, "sha256:" + "3" * 64, "added"),
        Change("document", "taxonomy/knowledge/tides", "sha256:" + "4" * 64, "sha256:" + "5" * 64),
    )
    upstream = (Change("upstream", "data", "6" * 64, "7" * 64, step="generate"),)
    decisions = {
        "evaluate-base": Decision("evaluate-base", "reuse", "unchanged since tides-1", "tides-1", "30 questions", AT),
        "generate": Decision("generate", "run", "changed since tides-1: …", "tides-1", "", AT, changes),
        "train-learning-rate-1e-4": Decision("train", "run", "changed since tides-2: …", "tides-2", "", AT, upstream),
        "train-learning-rate-2e-4": Decision("train", "run", "never finished before"),
        "publish": Decision("publish", "run", "its output is damaged: README.md is missing"),
    }
    return Shown(
        example_plan(),
        decisions,
        dict.fromkeys(("evaluate-base", "train-learning-rate-1e-4", "train-learning-rate-2e-4"), ESTIMATE),
        against,
    )
