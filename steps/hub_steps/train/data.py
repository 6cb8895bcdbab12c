"""Training data: read, checked row by row, and split into what is learned and what is only measured."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps.contract import StepError, faults
from hub_steps.train.rows import Sample, length, row_reader

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainParameters


@dataclass(frozen=True)
class Data:
    """Samples; `num_too_long` is how many were left out for their length."""

    train: list[Sample]
    validation: list[Sample]
    num_too_long: int


def read_data(path: Path, tokenizer: Any, parameters: TrainParameters) -> Data:
    """Return the samples of a file of JSON lines; the split goes by row, so that no document is on both sides.

    Raises StepError if a row is not as the algorithm needs it, naming it by its line, or if no sample is left to learn
    from or to measure.
    """
    rows, num_too_long = _read(path, tokenizer, parameters)
    if not rows and num_too_long:
        limit = parameters.max_seq_len
        raise StepError(f"{path.name}: each of its {num_too_long} samples is longer than max_seq_len {limit}")
    if not rows:
        raise StepError(f"{path.name} is empty: there is nothing to learn from")
    held_out = _held_out(len(rows), parameters)
    if len(held_out) == len(rows):
        share = parameters.validation_split
        raise StepError(f"{path.name}: validation_split {share} of {len(rows)} rows leaves none to learn from")
    return Data(
        train=[sample for number, row in enumerate(rows) if number not in held_out for sample in row],
        validation=[sample for number, row in enumerate(rows) if number in held_out for sample in row],
        num_too_long=num_too_long,
    )


def _read(path: Path, tokenizer: Any, parameters: TrainParameters) -> tuple[list[list[Sample]], int]:
    read = row_reader(tokenizer, parameters)
    limit = parameters.block_size if parameters.is_pretraining else parameters.max_seq_len
    rows, num_too_long = [], 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                samples = read(line)
            except (ValueError, RecursionError) as error:
                reason = faults(error) if isinstance(error, ValidationError) else error
                raise StepError(f"{path.name}, line {number}: {reason}") from None
            short = [sample for sample in samples if length(sample) <= limit]
            num_too_long += len(samples) - len(short)
            if short:
                rows.append(short)
    return rows, num_too_long


def _held_out(num_rows: int, parameters: TrainParameters) -> set[int]:
    """Return the numbers of the rows to measure on, at least one if any are asked for."""
    if not parameters.validation_split:
        return set()
    size = max(1, round(num_rows * parameters.validation_split))
    return set(random.Random(parameters.seed).sample(range(num_rows), size))  # noqa: S311 - a split, no secret
