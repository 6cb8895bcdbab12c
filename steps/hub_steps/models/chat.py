"""Conversations as tokens, with the tokens to learn marked."""

from __future__ import annotations

from typing import Any

from jinja2 import TemplateError

IGNORED = -100
"""Label of a token that carries no loss (torch.nn.CrossEntropyLoss's default `ignore_index`)."""


def encode(
    tokenizer: Any, messages: list[dict[str, str]], learned: frozenset[str] = frozenset({"assistant"})
) -> tuple[list[int], list[int]]:
    """Return token ids and labels of a conversation; labels are the ids on the turns of the `learned` roles, else IGNORED.

    A turn starts after the generation prompt and ends with its end-of-turn token, so that the model learns to stop.
    Raises ValueError if the chat template refuses the conversation, or renders earlier turns differently once later ones
    follow.
    """
    text = _render(tokenizer, messages)
    spans = [_span(tokenizer, messages, turn, text) for turn, message in enumerate(messages) if message["role"] in learned]
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = encoded["input_ids"]
    labels = [
        token if any(start <= first < end for start, end in spans) and first < last else IGNORED
        for token, (first, last) in zip(ids, encoded["offset_mapping"], strict=True)
    ]
    return ids, labels


def encode_answer(
    tokenizer: Any, messages: list[dict[str, str]], answer: list[dict[str, str]]
) -> tuple[list[int], list[int]]:
    """Return the token ids of a prompt, and of an answer to it, each on its own, as generation sees them.

    Raises ValueError as `encode` does.
    """
    before, until = _render(tokenizer, messages, add_generation_prompt=True), _render(tokenizer, [*messages, *answer])
    if not until.startswith(before):
        raise ValueError("the chat template changes earlier turns, so the answer's tokens cannot be told apart")
    texts = before, until[len(before) :].rstrip()
    prompt, told = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
    return prompt, told


def _span(tokenizer: Any, messages: list[dict[str, str]], turn: int, text: str) -> tuple[int, int]:
    if messages[turn]["role"] == "assistant":
        before = _render(tokenizer, messages[:turn], add_generation_prompt=True)
    else:
        before = _until_content(tokenizer, messages, turn)
    until = _render(tokenizer, messages[: turn + 1])
    if not (text.startswith(until) and until.startswith(before)):
        raise ValueError("the chat template changes earlier turns, so the tokens to learn cannot be told apart")
    return len(before), len(until.rstrip())


def _until_content(tokenizer: Any, messages: list[dict[str, str]], turn: int) -> str:
    """Return what is rendered before the content of a turn; templates put words of their own before the first one."""
    others = ({**messages[turn], "content": content} for content in ("a", "b"))
    one, other = (_render(tokenizer, [*messages[:turn], told]) for told in others)
    same = next((place for place, (first, second) in enumerate(zip(one, other, strict=False)) if first != second), len(one))
    return one[:same]


def _render(tokenizer: Any, messages: list[dict[str, str]], **options: bool) -> str:
    if not messages:
        raise ValueError("the conversation starts with an assistant's turn, so there is nothing that it answers")
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses the conversation: {error}") from None
    return text
