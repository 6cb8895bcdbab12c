"""Rules over the data that a pipeline learns from."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from hub_steps.parameters.data import SHAPES
from hubc.checks.view import Finding
from hubc.graph import GENERATED, READS_TAXONOMY
from hubc.plan import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import Training, View
    from hubc.source import Location

WRITTEN = {
    "conversations": "'format: messages' or 'format: alpaca' if its rows are conversations",
    "documents": "'format: document' if its rows are texts to read",
    "preferences": "'format: preference' if its rows have prompt, chosen and rejected",
}
"""How to say that a data set holds a kind of row."""
SUFFIXES = (".jsonl", ".json", ".parquet", ".csv")


def formats(view: View) -> Iterator[Finding]:
    """`dataset-format`: each way of training learns one kind of row, and would fail on another."""
    for training in view.trainings:
        shapes = {name: _shape(view, name) for name in training.datasets if name == GENERATED or name in _known(view)}
        first = next(iter(shapes.values()), "")
        needed = _needed(training) or first
        for name, shape in shapes.items():
            if shape != needed:
                place: Location = ("spec", "data", "datasets", name, "format") if name != GENERATED else _asks(training)
                yield Finding(place, "dataset-format", f"'{name}' holds {shape}, and {_what(training)} learns {needed}",
                              _remedy(training, name, shape, needed))  # fmt: skip


def _known(view: View) -> tuple[str, ...]:
    return tuple(view.spec.data.datasets) if view.spec.data else ()


def _shape(view: View, name: str) -> str:
    return SHAPES[view.spec.data.datasets[name].format] if view.spec.data and name != GENERATED else SHAPES["messages"]


def _needed(training: Training) -> str | None:
    """Return what a training learns; a script of one's own learns anything, but rows of one kind."""
    told = training.parameters
    if told.algorithm == "custom":
        return None
    return "preferences" if told.algorithm == "dpo" else "documents" if told.is_pretraining else "conversations"


def _asks(training: Training) -> Location:
    return training.place("is_pretraining" if training.parameters.is_pretraining else "algorithm")


def _what(training: Training) -> str:
    where = f"phase '{training.phase.name}'" if training.phase else "the training"
    return where + (
        " with 'is_pretraining'" if training.parameters.is_pretraining else f" with '{training.parameters.algorithm}'"
    )


def _remedy(training: Training, name: str, shape: str, needed: str) -> str:
    if training.phase and len(training.datasets) > 1:
        return f"leave '{name}' out of the 'datasets' of the phase"
    if name == GENERATED or training.parameters.algorithm == "custom":
        return f"train in 'phases', and leave '{name}' out of the 'datasets' of this one"
    return f"write {WRITTEN[needed]}; to learn {shape}, {_learning(shape, training)}"


def _learning(shape: str, training: Training) -> str:
    """Return how to learn a kind of row."""
    if shape == "preferences":
        return "use 'algorithm: dpo'"
    other = "use an algorithm such as 'lora_sft'" if training.parameters.algorithm == "dpo" else ""
    switch = "set 'is_pretraining: true'" if shape == "documents" else "remove 'is_pretraining'"
    has_switch = training.parameters.is_pretraining != (shape == "documents")
    return " and ".join(filter(None, (switch if has_switch else "", other)))


def system_prompts(view: View) -> Iterator[Finding]:
    """`dataset-format`: documents have no turn that the prompt could be."""
    for training in view.trainings:
        shapes = {_shape(view, name) for name in training.datasets if name == GENERATED or name in _known(view)}
        if view.spec.data and view.spec.data.system_prompt is not None and shapes == {"documents"}:
            yield Finding(("spec", "data", "system_prompt"), "dataset-format",
                          f"'system_prompt' is for conversations, and {_what(training)} learns documents",
                          "remove it, or train on the documents in a pipeline of their own", at_key=True)  # fmt: skip


def suffixes(view: View) -> Iterator[Finding]:
    """`dataset-format`: nothing says how the file is written, so it could not be read."""
    for name, dataset in view.spec.data.datasets.items() if view.spec.data else ():
        if dataset.file_format is None and PurePosixPath(dataset.location.partition("#")[0]).suffix.lower() not in SUFFIXES:
            yield Finding(("spec", "data", "datasets", name, "location"), "dataset-format",
                          f"the name of '{dataset.location}' does not say how the file is written",
                          "add 'file_format': jsonl, json, parquet or csv")  # fmt: skip


def unused(view: View) -> Iterator[Finding]:
    """`unused-dataset`: data that somebody names, or pays a teacher for, are meant to be learned."""
    if not view.trainings or view.spec.data is None:
        return
    used = {name for training in view.trainings for name in training.datasets}
    for name in _known(view):
        if name not in used:
            yield Finding(("spec", "data", "datasets", name), "unused-dataset", f"no phase trains on '{name}'",
                          "add it to the 'datasets' of a phase, or remove it", at_key=True)  # fmt: skip
    if view.spec.generate and GENERATED not in used:
        yield Finding(("spec", "generate"), "unused-dataset", f"no phase trains on '{GENERATED}', which this section writes",
                      f"add '{GENERATED}' to the 'datasets' of a phase, or remove the section", at_key=True)  # fmt: skip


def nothing(view: View) -> Iterator[Finding]:
    """`missing-key`: a training without data would start and fail."""
    if view.spec.data is not None and not view.spec.data.datasets and view.spec.generate is None:
        yield Finding(("spec", "data"), "missing-key", "there is nothing to train on: 'data' names no data set",
                      "add one below 'datasets', or the section 'generate'", at_key=True)  # fmt: skip


def ineffective(view: View) -> Iterator[Finding]:
    """`ineffective-parameter`: somebody who writes it expects it to change something."""

    def found(place: Location, why: str, remedy: str = "remove it") -> Finding:
        return Finding(place, "ineffective-parameter", f"'{place[-1]}' has no effect: {why}", remedy, at_key=True)

    spec = view.spec
    if (data := spec.data) is not None:
        if data.generated_sampling_size is not None and spec.generate is None:
            yield found(("spec", "data", "generated_sampling_size"), "nothing is generated", "remove it, or add 'generate'")
        for name, dataset in data.datasets.items():
            if "document_column_name" in dataset.model_fields_set and dataset.format != "document":
                yield found(("spec", "data", "datasets", name, "document_column_name"), "the rows are no documents",
                            "remove it, or write 'format: document'")  # fmt: skip
    suites = spec.evaluate.suites if spec.evaluate else ()
    if spec.taxonomy and not spec.generate and not any(suite.suite in READS_TAXONOMY for suite in suites):
        yield found(("spec", "taxonomy"), "nothing reads it", "remove it, or add 'generate' or a suite that asks it")
    if spec.tracking and spec.train is None:
        yield found(("spec", "tracking"), "nothing is trained", "remove it, or add 'train'")


def unreachable_pairs(view: View) -> Iterator[Finding]:
    """`invalid-value`: the teacher would be asked for everything, and the step fail all the same."""
    generate = view.spec.generate
    taxonomy = next((step.inputs["taxonomy"] for step in view.steps if step.kind == "generate"), None)
    if generate is None or not isinstance(taxonomy, External) or taxonomy.documents is None:
        return
    seeds = [seed for leaf in taxonomy.documents.values() for seed in leaf["seed_examples"]]
    written = sum(len(seed["questions_and_answers"]) for seed in seeds) if generate.held_out_share < 1 else 0
    most = len(seeds) * generate.samples_per_seed + written
    if generate.min_pairs > most:
        yield Finding(("spec", "generate", "min_pairs"), "invalid-value",
                      f"min_pairs {generate.min_pairs} cannot be reached: {len(seeds)} contexts of the taxonomy give "
                      f"at most {most} pairs", "write a smaller 'min_pairs', or a larger 'samples_per_seed'")  # fmt: skip
