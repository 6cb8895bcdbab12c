"""Rules over the parameters of each training."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from hub_steps.parameters import TrainParameters
from hub_steps.parameters.train import APPLIES_TO
from hubc.checks.view import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hubc.checks.view import Training, View
    from hubc.source import Location

CUSTOM_READS = frozenset({"algorithm", "backend", "custom", "seed"})
HIGH_FOR_WHOLE_MODELS, HIGH_FOR_ADAPTERS = 1e-3, 1e-2
ASK_FOR_CHECKPOINTS = "ask for checkpoints with 'checkpoint_at_epoch: true', 'save_steps' or 'save_samples'"

Idle = tuple[frozenset[str], "Callable[[Training], bool]", str, str]
IDLE: tuple[Idle, ...] = (
    (
        frozenset(TrainParameters.model_fields) - CUSTOM_READS,
        lambda training: training.parameters.algorithm == "custom",
        "a script of one's own decides itself",
        "remove it, or give it to the script in 'custom.arguments'",
    ),
    (
        frozenset({"max_seq_len"}),
        lambda training: training.parameters.is_pretraining,
        "documents are cut into blocks of 'block_size'",
        "remove it, or write 'block_size'",
    ),
    (
        frozenset({"block_size"}),
        lambda training: not training.parameters.is_pretraining,
        "only documents are cut into blocks",
        "remove it, or set 'is_pretraining: true'; for conversations 'max_seq_len' counts",
    ),
    (
        frozenset({"save_total_limit", "accelerate_full_state_at_epoch"}),
        lambda training: not training.keeps_checkpoints,
        "no checkpoint is kept",
        ASK_FOR_CHECKPOINTS,
    ),
    (
        frozenset({"parallelism.zero_stage"}),
        lambda training: training.parameters.parallelism.strategy != "deepspeed",
        "only DeepSpeed reads it",
        "remove it, or use 'strategy: deepspeed'",
    ),
)
"""Parameters, when nothing reads them, why, and what to do; what contradicts itself the parameters' own class refuses."""


def ineffective(view: View) -> Iterator[Finding]:
    """`ineffective-parameter`: somebody who writes a parameter expects it to change something."""
    readers: dict[Location, list[tuple[str, Training]]] = defaultdict(list)
    for training in view.trainings:
        for place, field in _written(view, training):
            readers[place].append((field, training))
    for place, pairs in readers.items():
        reasons = [_reason(field, training) for field, training in pairs]
        if reasons[0] and all(reasons):
            yield Finding(place, "ineffective-parameter", *reasons[0], at_key=True)
    yield from _overridden(view)


def _written(view: View, training: Training) -> Iterator[tuple[Location, str]]:
    """Yield the place and name of every parameter that is written for a training, but those that only switch off."""
    written = (view.spec.train.model_fields_set if view.spec.train else set()) | (
        training.phase.model_fields_set if training.phase else set()
    )
    for field in TrainParameters.model_fields:
        if field not in written or getattr(training.parameters, field) is False:
            continue
        place = training.place(field)
        yield place, field
        if field == "parallelism":
            chosen = training.parameters.parallelism
            for name in sorted(chosen.model_fields_set):
                if getattr(chosen, name) is not False:
                    yield (*place, name), f"{field}.{name}"


def _reason(field: str, training: Training) -> tuple[str, str] | None:
    """Return why nothing reads a parameter, and what to do; None if something does."""
    algorithm, name = training.parameters.algorithm, field.rpartition(".")[2]
    readers = sorted(APPLIES_TO.get(field, ()))
    if readers and algorithm not in readers and algorithm != "custom":
        return f"'{name}' has no effect: '{algorithm}' does not read it", f"remove it; it is for {' or '.join(readers)}"
    for fields, is_idle, why, remedy in IDLE:
        if field in fields and is_idle(training):
            return f"'{name}' has no effect: {why}", remedy
    return None


def _overridden(view: View) -> Iterator[Finding]:
    train = view.spec.train
    if train is None or not train.phases:
        return
    everywhere = frozenset.intersection(*(frozenset(phase.model_fields_set) for phase in train.phases))
    for field in sorted(everywhere & train.model_fields_set & set(TrainParameters.model_fields)):
        yield Finding(("spec", "train", field), "ineffective-parameter", f"'{field}' has no effect: every phase has its own",
                      "remove it here, or in a phase that is to use it", at_key=True)  # fmt: skip


def checkpoint_policy(view: View) -> Iterator[Finding]:
    """`checkpoint-policy`: there would be no checkpoint to measure."""
    candidates = view.spec.evaluate.candidates if view.spec.evaluate else ()
    if "checkpoints" in candidates and view.trainings:
        last = view.trainings[-1]
        if not last.keeps_checkpoints and last.parameters.algorithm != "custom":
            place = ("spec", "evaluate", "candidates", candidates.index("checkpoints"))
            message = "'checkpoints' are to be measured, and the last training keeps none"
            yield Finding(place, "checkpoint-policy", message, ASK_FOR_CHECKPOINTS)


def learning_rates(view: View) -> Iterator[Finding]:
    """`learning-rate-high`: the loss would most likely diverge, often only after hours."""
    for training in view.trainings:
        told = training.parameters
        is_whole = told.algorithm in ("sft", "osft")
        limit = HIGH_FOR_WHOLE_MODELS if is_whole else HIGH_FOR_ADAPTERS
        if told.algorithm != "custom" and told.learning_rate > limit:
            usual = "0.000001 to 0.00005 when all weights are trained" if is_whole else "0.00001 to 0.0005 for adapters"
            message = f"the learning rate {told.learning_rate:g} is far above what '{told.algorithm}' bears"
            yield Finding(training.place("learning_rate"), "learning-rate-high", message, f"usual are {usual}")
