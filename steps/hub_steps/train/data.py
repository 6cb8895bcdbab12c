"""Training conversations: read, checked row by row, and turned into tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from hub_steps.contract import StepError, faults
from hub_steps.models.chat import IGNORED, encode

if TYPE_CHECKING:
    from pathlib import Path


class Turn(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class Conversation(BaseModel):
    """One row of training data."""

    messages: Annotated[list[Turn], Field(min_length=1)]


def read_samples(path: Path, tokenizer: Any, max_seq_len: int) -> tuple[list[dict[str, list[int]]], int]:
    """Return samples with `input_ids`, `attention_mask` and `labels` (each of one length), and how many were too long.

    Raises StepError if a row is not a conversation, naming it by its line, or if no sample is left to learn from.
    """
    samples, num_too_long = [], 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                ids, labels = _tokens(line, tokenizer)
            except (ValueError, RecursionError) as error:
                reason = faults(error) if isinstance(error, ValidationError) else error
                raise StepError(f"{path.name}, line {number}: {reason}") from None
            if len(ids) > max_seq_len:
                num_too_long += 1
            else:
                samples.append({"input_ids": ids, "attention_mask": [1] * len(ids), "labels": labels})
    if num_too_long and not samples:
        raise StepError(f"{path.name}: each of its {num_too_long} samples is longer than max_seq_len {max_seq_len}")
    if not samples:
        raise StepError(f"{path.name} is empty: there is nothing to learn from")
    return samples, num_too_long


def _tokens(line: bytes, tokenizer: Any) -> tuple[list[int], list[int]]:
    row = Conversation.model_validate(json.loads(line))
    ids, labels = encode(tokenizer, [turn.model_dump() for turn in row.messages])
    if all(label == IGNORED for label in labels):
        raise ValueError("no turn of an assistant to learn from")
    return ids, labels
