"""How samples become the batches that a process takes through the model at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError
from hub_steps.models.chat import IGNORED
from hub_steps.train.rows import Sample, length

if TYPE_CHECKING:
    from hub_steps.parameters import TrainParameters


def micro_batch_size(samples: list[Sample], parameters: TrainParameters, per_process: int) -> int:
    """Return the most samples for one pass that divide a process's share of the effective batch and fit every limit.

    With packing, `micro_batch_size` counts the sequences that the samples share. Raises StepError if not even the longest
    sample alone fits `max_tokens_per_gpu`.
    """
    longest_first = sorted(map(length, samples), reverse=True)
    copies = 2 if parameters.algorithm == "dpo" else 1
    for size in range(per_process, 1, -1):
        if per_process % size == 0 and _fits(longest_first[:size], parameters, copies):
            return size
    limit = parameters.max_tokens_per_gpu
    if limit and copies * longest_first[0] > limit:
        raise StepError(f"a sample has {copies * longest_first[0]} tokens, more than max_tokens_per_gpu {limit}")
    return 1


def _fits(lengths: list[int], parameters: TrainParameters, copies: int) -> bool:
    sequences = [sum(bin) for bin in bins(lengths, sequence_length(parameters))] if parameters.packing else lengths
    tokens = copies * len(sequences) * max(sequences)
    limit = parameters.max_tokens_per_gpu
    return len(sequences) <= parameters.micro_batch_size and (limit is None or tokens <= limit)


def sequence_length(parameters: TrainParameters) -> int:
    """Return how many tokens a sequence may have."""
    return parameters.block_size if parameters.is_pretraining else parameters.max_seq_len


def bins(lengths: list[int], capacity: int) -> list[list[int]]:
    """Return `lengths` put into bins that hold at most `capacity` each (first-fit decreasing)."""
    filled: list[list[int]] = []
    for size in sorted(lengths, reverse=True):
        for bin in filled:
            if sum(bin) + size <= capacity:
                bin.append(size)
                break
        else:
            filled.append([size])
    return filled


@dataclass(frozen=True)
class PackingCollator:
    """Puts samples end to end into sequences of at most `capacity` tokens.

    Positions start at 0 with every sample and there is no attention mask: that is how Transformers' attention
    implementations know where samples end, so that none attends to another. Flash attention wants one sequence a batch
    (`one_sequence`), whose cost for it does not depend on the length.
    """

    capacity: int
    pad_id: int
    one_sequence: bool

    def __call__(self, samples: list[Sample]) -> dict[str, Any]:
        """Return `input_ids`, `labels` and `position_ids`, each of shape (sequences, tokens of the longest one)."""
        import torch

        sequences = [samples] if self.one_sequence else self._sequences(samples)
        width = max(sum(map(length, sequence)) for sequence in sequences)
        rows: dict[str, list[list[int]]] = {"input_ids": [], "labels": [], "position_ids": []}
        for sequence in sequences:
            ids = [token for sample in sequence for token in sample["input_ids"]]
            labels = [label for sample in sequence for label in sample["labels"]]
            positions = [position for sample in sequence for position in range(length(sample))]
            padding = width - len(ids)
            rows["input_ids"].append(ids + [self.pad_id] * padding)
            rows["labels"].append(labels + [IGNORED] * padding)
            # A padding token is a sample of its own, which attends to nothing but itself.
            rows["position_ids"].append(positions + [0] * padding)
        return {name: torch.tensor(values) for name, values in rows.items()}

    def _sequences(self, samples: list[Sample]) -> list[list[Sample]]:
        waiting: dict[int, list[Sample]] = {}
        for sample in samples:
            waiting.setdefault(length(sample), []).append(sample)
        filled = bins(list(map(length, samples)), self.capacity)
        return [[waiting[size].pop(0) for size in bin] for bin in filled]


@dataclass(frozen=True)
class PaddingCollator:
    """Puts every sample into a sequence of its own, filled up to the longest one."""

    pad_id: int

    def __call__(self, samples: list[Sample]) -> dict[str, Any]:
        """Return `input_ids`, `attention_mask` and `labels`, each of shape (samples, tokens of the longest one)."""
        import torch

        width = max(map(length, samples))
        ids = [sample["input_ids"] + [self.pad_id] * (width - length(sample)) for sample in samples]
        labels = [sample["labels"] + [IGNORED] * (width - length(sample)) for sample in samples]
        mask = [[1] * length(sample) + [0] * (width - length(sample)) for sample in samples]
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask), "labels": torch.tensor(labels)}
