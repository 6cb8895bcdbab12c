"""What a model makes of questions: how likely it finds the reference answers, and what it answers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from hub_steps.contract import StepError
from hub_steps.models.chat import IGNORED, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.taxonomy import Pair


@torch.inference_mode()
def reference_nll(model: Any, tokenizer: Any, pairs: list[Pair], batch_size: int) -> Iterator[tuple[float, int]]:
    """Yield, for each pair, the negative log-likelihood of its answer in nats and the number of its tokens."""
    for batch in _batches(pairs, batch_size):
        try:
            encoded = [
                encode(tokenizer, [*_question(pair), {"role": "assistant", "content": pair.answer}]) for pair in batch
            ]
        except ValueError as error:
            raise StepError(f"cannot put a question to the model: {error}") from None
        ids, labels, mask = (tensor.to(model.device) for tensor in _pad(encoded, tokenizer.pad_token_id))
        logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
        losses = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
        )
        counts = (labels[:, 1:] != IGNORED).sum(dim=1)
        if not counts.all():
            raise StepError("the chat template does not show the assistant's answer, so its likelihood cannot be measured")
        yield from zip(losses.sum(dim=1).tolist(), counts.tolist(), strict=True)


@torch.inference_mode()
def greedy_answers(model: Any, tokenizer: Any, pairs: list[Pair], batch_size: int, max_new_tokens: int) -> Iterator[str]:
    """Yield the model's most likely answer to each question, of at most `max_new_tokens` tokens."""
    for batch in _batches(pairs, batch_size):
        prompts = [
            tokenizer.apply_chat_template(_question(pair), tokenize=False, add_generation_prompt=True) for pair in batch
        ]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        output = model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False, temperature=None, top_p=None, top_k=None,
            pad_token_id=tokenizer.pad_token_id)  # fmt: skip
        answers = tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        yield from (answer.strip() for answer in answers)


def _question(pair: Pair) -> list[dict[str, str]]:
    return [{"role": "user", "content": pair.question}]


def _batches(pairs: list[Pair], size: int) -> Iterator[list[Pair]]:
    yield from (pairs[start : start + size] for start in range(0, len(pairs), size))


def _pad(encoded: list[tuple[list[int], list[int]]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, labels and attention mask, each of shape (samples, longest), padded on the right."""
    longest = max(len(ids) for ids, _ in encoded)
    ids = torch.tensor([row + [pad_id] * (longest - len(row)) for row, _ in encoded])
    labels = torch.tensor([row + [IGNORED] * (longest - len(row)) for _, row in encoded])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row, _ in encoded])
    return ids, labels, mask
