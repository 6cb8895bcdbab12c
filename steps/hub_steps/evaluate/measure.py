"""What a model makes of conversations: how likely it finds the assistant's last turn, and what it says itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from hub_steps.contract import StepError
from hub_steps.models.chat import IGNORED, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

Conversation = list[dict[str, str]]
"""Turns with `role` and `content`."""


@dataclass(frozen=True)
class Candidate:
    """A loaded model that is to be measured, and its tokenizer."""

    network: Any
    tokenizer: Any


def asked(question: str) -> Conversation:
    """Return the conversation that puts one question."""
    return [{"role": "user", "content": question}]


def answered(question: str, answer: str) -> Conversation:
    """Return the conversation of one question and its answer."""
    return [*asked(question), {"role": "assistant", "content": answer}]


@torch.inference_mode()
def last_turn_nll(candidate: Candidate, conversations: list[Conversation], batch_size: int) -> Iterator[tuple[float, int]]:
    """Yield, for each conversation, the negative log-likelihood of its last turn in nats and the number of its tokens.

    Raises StepError if the chat template does not show that turn.
    """
    model, tokenizer = candidate.network, candidate.tokenizer
    for batch in _batches(conversations, batch_size):
        ids, labels, mask = (tensor.to(model.device) for tensor in _encoded(tokenizer, batch))
        logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
        )
        counts = (labels[:, 1:] != IGNORED).sum(dim=1)
        if not counts.all():
            raise StepError("the chat template does not show the assistant's answer, so its likelihood cannot be measured")
        yield from zip(losses.sum(dim=1).tolist(), counts.tolist(), strict=True)


@torch.inference_mode()
def greedy_answers(
    candidate: Candidate, conversations: list[Conversation], batch_size: int, max_new_tokens: int
) -> Iterator[str]:
    """Yield the model's most likely next turn in each conversation, of at most `max_new_tokens` tokens.

    Raises StepError if a conversation does not fit into the model's context.
    """
    model, tokenizer = candidate.network, candidate.tokenizer
    longest = getattr(model.config, "max_position_embeddings", None)
    for batch in _batches(conversations, batch_size):
        prompts = [tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True) for turns in batch]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        num_tokens = inputs["input_ids"].shape[1]
        if longest and num_tokens >= longest:
            raise StepError(
                f"a conversation of {num_tokens} tokens does not fit into the model's context of {longest} tokens"
            )
        output = model.generate(
            **inputs, max_new_tokens=min(max_new_tokens, longest - num_tokens) if longest else max_new_tokens,
            do_sample=False, temperature=None, top_p=None, top_k=None, pad_token_id=tokenizer.pad_token_id)  # fmt: skip
        answers = tokenizer.batch_decode(output[:, num_tokens:], skip_special_tokens=True)
        yield from (answer.strip() for answer in answers)


def _batches(conversations: list[Conversation], size: int) -> Iterator[list[Conversation]]:
    yield from (conversations[start : start + size] for start in range(0, len(conversations), size))


def _encoded(tokenizer: Any, batch: list[Conversation]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, labels and attention mask, each of shape (conversations, longest), padded on the right."""
    try:
        encoded = [encode(tokenizer, turns) for turns in batch]
    except ValueError as error:
        raise StepError(f"cannot put a question to the model: {error}") from None
    longest = max(len(ids) for ids, _ in encoded)
    ids = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row, _ in encoded])
    labels = torch.tensor([row + [IGNORED] * (longest - len(row)) for _, row in encoded])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in encoded])
    return ids, labels, mask
