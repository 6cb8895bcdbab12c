"""Conversations as tokens, with the assistant's own tokens marked."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

IGNORED = -100
"""Label of a token that carries no loss (torch.nn.CrossEntropyLoss's default `ignore_index`)."""


def encode(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], list[int]]:
    """Return token ids and labels of a conversation; labels are the ids on the assistant's turns, else IGNORED.

    A turn starts after the generation prompt and ends with its end-of-turn token, so that the model learns to stop.
    Raises ValueError if the chat template refuses the conversation, or renders earlier turns differently once later ones
    follow.
    """
    text = _render(tokenizer, messages)
    spans = [
        _span(tokenizer, messages, turn, text) for turn, message in enumerate(messages) if message["role"] == "assistant"
    ]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = encoded["input_ids"]
    labels = [
        token if any(start <= first < end for start, end in spans) and first < last else IGNORED
        for token, (first, last) in zip(ids, encoded["offset_mapping"], strict=True)
    ]
    return ids, labels


def _span(tokenizer: Any, messages: list[dict[str, str]], turn: int, text: str) -> tuple[int, int]:
    before = _render(tokenizer, messages[:turn], add_generation_prompt=True)
    until = _render(tokenizer, messages[: turn + 1])
    if not (text.startswith(until) and until.startswith(before)):
        raise ValueError("the chat template changes earlier turns, so the assistant's tokens cannot be told apart")
    return len(before), len(until.rstrip())


def _render(tokenizer: Any, messages: list[dict[str, str]], **options: bool) -> str:
    if not messages:
        raise ValueError("the conversation starts with an assistant's turn, so there is nothing that it answers")
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses the conversation: {error}") from None
    return text
