"""The rule that nothing is both learned and asked: an evaluation on known questions measures memory."""

from __future__ import annotations

import csv
import io
import json
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hub_steps.holdout import held_out
from hub_steps.taxonomy import KnowledgeLeaf
from hubc.checks.view import Finding
from hubc.graph import READS_TAXONOMY
from hubc.plan import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.parameters import DatasetParameters
    from hubc.checks.view import View
    from hubc.plan import Step
    from hubc.source import Location

RULE = "held-out-trained-on"
MIN_WORDS = 3
"""Words of the shortest question that is looked for: a shorter one may stand in any text."""
MAX_KNOWN = 64
_known: dict[tuple[str, float, int], tuple[str, ...]] = {}
"""Held-out questions that were asked for before: every data set and every variant of a matrix asks for the same."""


def trained_on(view: View) -> Iterator[Finding]:
    """`held-out-trained-on`: the evaluation would measure what the model was shown, and every gate would pass."""
    used = {name for training in view.trainings for name in training.datasets}
    datasets = view.spec.data.datasets if view.spec.data else {}
    keys = {name.removeprefix("dataset."): value.key for step in view.steps if step.kind == "mix"
            for name, value in step.inputs.items() if isinstance(value, External)}  # fmt: skip
    asking = [step for step in view.steps if step.kind == "evaluate"]
    for name, dataset in datasets.items():
        if name in used:
            place: Location = ("spec", "data", "datasets", name, "location")
            if message := _questions(view, asking, dataset, keys[name]) or _taxonomy(view, asking, name, dataset):
                yield Finding(place, RULE, f"'{name}' is trained on and measured: {message}",
                              "train on other data, or measure with other questions")  # fmt: skip


def _questions(view: View, asking: list[Step], dataset: DatasetParameters, key: str) -> str | None:
    """Return how a data set is the file that a suite asks from."""
    for suite in view.spec.evaluate.suites if view.spec.evaluate else ():
        if suite.suite == "mt_bench" and asking:
            same_digest = dataset.sha256 is not None and dataset.sha256 == suite.sha256
            inputs = [step.inputs["questions"] for step in asking if "questions" in step.inputs]
            same_key = any(isinstance(value, External) and value.key == key for value in inputs)
            if dataset.location == suite.questions or same_digest or same_key:
                return f"it is the file of questions of the suite '{suite.name or suite.suite}'"
    return None


def _taxonomy(view: View, asking: list[Step], name: str, dataset: DatasetParameters) -> str | None:
    """Return how a file of the repository holds what people wrote to be held out."""
    step = next((step for step in asking if step.parameters["suite"]["suite"] in READS_TAXONOMY), None)
    if step is None or "://" in dataset.location or view.spec.taxonomy is None:
        return None
    folder = view.spec.taxonomy.path
    if folder is not None and PurePosixPath(dataset.location).is_relative_to(PurePosixPath(folder)):
        return f"it lies in the taxonomy's folder '{folder}', whose questions are held out"
    taxonomy = step.inputs["taxonomy"]
    text = next((value for step in view.steps if step.kind == "mix" and (value := step.inputs.get(f"dataset.{name}"))), None)
    if not isinstance(taxonomy, External) or not isinstance(text, External) or not taxonomy.documents or not text.documents:
        return None
    questions = _held_out(taxonomy, step.parameters["held_out_share"], step.parameters["held_out_seed"])
    file_format = dataset.file_format or PurePosixPath(dataset.location).suffix.lower().removeprefix(".")
    return _leak(text.documents["text"], file_format, questions)


def _held_out(taxonomy: External, share: float, seed: int) -> tuple[str, ...]:
    """Return the held-out questions of a taxonomy; its key stands for its content."""
    chosen = (taxonomy.key, share, seed)
    if chosen not in _known:
        if len(_known) >= MAX_KNOWN:
            _known.clear()
        leaves = {name: KnowledgeLeaf.model_validate(leaf) for name, leaf in (taxonomy.documents or {}).items()}
        pairs = held_out(leaves, share, seed)
        _known[chosen] = tuple(pair.question for found in pairs.values() for _, pair in found)
    return _known[chosen]


@lru_cache(maxsize=256)
def _leak(text: str, file_format: str, questions: tuple[str, ...]) -> str | None:
    """Return the first row that has a held-out question; case and spaces do not count.

    The variants of a matrix ask the same of the same file.
    """
    rows = [_plain(row) for row in _rows(text, file_format)]
    everything = "\n".join(rows)
    for question in questions:
        plain = _plain(question)
        if plain.count(" ") >= MIN_WORDS - 1 and plain in everything:
            number = next(number for number, row in enumerate(rows, start=1) if plain in row)
            return f"its row {number} has the held-out question '{question.strip()}'"
    return None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _rows(text: str, file_format: str) -> Iterator[str]:
    """Yield the text of each row; what is no row of this format is left to the step that reads it."""
    match file_format:
        case "csv":
            yield from (" ".join(row) for row in list(csv.reader(io.StringIO(text, newline=""), strict=False))[1:])
        case "json":
            data = _parsed(text)
            yield from map(_text, data if isinstance(data, list) else [data])
        case _:
            yield from (_text(_parsed(line)) for line in text.splitlines())


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _text(value: Any) -> str:
    """Return all texts in a value; the parser bounds its depth."""
    if isinstance(value, dict):
        value = list(value.values())
    return " ".join(map(_text, value)) if isinstance(value, list) else value if isinstance(value, str) else ""
