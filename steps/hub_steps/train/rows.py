"""Rows of training data: checked, and turned into tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

from hub_steps.models.chat import IGNORED, encode, encode_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub_steps.parameters import TrainParameters

Sample = dict[str, list[int]]
"""Token ids and labels of one length; or, of a preference, the ids of prompt, chosen and rejected answer."""
ASSISTANT = frozenset({"assistant"})
ALL_BUT_SYSTEM = frozenset({"assistant", "user"})


class Turn(BaseModel):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str
    reasoning_content: str | None = None


Turns = Annotated[list[Turn], Field(min_length=1)]


class Conversation(BaseModel):
    """A row to learn the assistant's turns of; with `unmask`, all turns but the system's."""

    messages: Turns
    unmask: bool = False


class Document(BaseModel):
    """A row to learn as running text."""

    document: Annotated[str, Field(min_length=1)]


class Preference(BaseModel):
    """A row to learn which of two answers is better."""

    prompt: str | Turns
    chosen: str | Turns
    rejected: str | Turns


def row_reader(tokenizer: Any, parameters: TrainParameters) -> Callable[[bytes], list[Sample]]:
    """Return the function that makes samples of one line; it raises ValueError if the line is not as it must be."""
    if parameters.algorithm == "dpo":
        return lambda line: [_preference(line, tokenizer)]
    if parameters.is_pretraining:
        return lambda line: _blocks(line, tokenizer, parameters.block_size)
    return lambda line: [_conversation(line, tokenizer, parameters.unmask_messages)]


def length(sample: Sample) -> int:
    """Return how many tokens the longest sequence of a sample has."""
    if "input_ids" in sample:
        return len(sample["input_ids"])
    return len(sample["prompt_ids"]) + max(len(sample["chosen_ids"]), len(sample["rejected_ids"]))


def _conversation(line: bytes, tokenizer: Any, unmask: bool) -> Sample:
    row = Conversation.model_validate(json.loads(line))
    learned = ALL_BUT_SYSTEM if unmask or row.unmask else ASSISTANT
    ids, labels = encode(tokenizer, _plain(row.messages), learned)
    if all(label == IGNORED for label in labels):
        raise ValueError("no turn of an assistant to learn from")
    return _sample(ids, labels)


def _blocks(line: bytes, tokenizer: Any, block_size: int) -> list[Sample]:
    """Cut a document, which ends with the end-of-text token, into blocks; a last block of one token teaches nothing."""
    ids = tokenizer(Document.model_validate(json.loads(line)).document)["input_ids"]
    if ids[-1] != tokenizer.eos_token_id:
        ids.append(tokenizer.eos_token_id)
    blocks = [ids[start : start + block_size] for start in range(0, len(ids), block_size)]
    return [_sample(block, list(block)) for block in blocks if len(block) > 1]


def _preference(line: bytes, tokenizer: Any) -> Sample:
    row = Preference.model_validate(json.loads(line))
    prompt = _turns(row.prompt, "user")
    ids, chosen = encode_answer(tokenizer, prompt, _turns(row.chosen, "assistant"))
    _, rejected = encode_answer(tokenizer, prompt, _turns(row.rejected, "assistant"))
    if chosen == rejected:
        raise ValueError("the chosen and the rejected answer are the same, so there is nothing to prefer")
    return {"prompt_ids": ids, "chosen_ids": chosen, "rejected_ids": rejected}


def _turns(told: str | list[Turn], role: str) -> list[dict[str, str]]:
    return [{"role": role, "content": told}] if isinstance(told, str) else _plain(told)


def _plain(turns: list[Turn]) -> list[dict[str, str]]:
    return [turn.model_dump(exclude_none=True) for turn in turns]


def _sample(ids: list[int], labels: list[int]) -> Sample:
    # Nothing precedes the first token, so it cannot be predicted; where samples share a sequence it must not be, either.
    return {"input_ids": ids, "labels": [IGNORED, *labels[1:]]}
