"""Which human-written pairs training never sees: the generate and evaluate steps ask the same function."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_steps.taxonomy import KnowledgeLeaf, Pair


def held_out(leaves: dict[str, KnowledgeLeaf], share: float, seed: int) -> dict[str, list[tuple[int, Pair]]]:
    """Return the held-out pairs of each leaf, each with the index of its seed example, in the order of the leaf.

    `share`, above 0 and at most 1, is rounded to whole pairs, at least one a leaf. What a leaf holds out does not depend
    on the other leaves, and a larger share holds out all that a smaller one does.
    """
    return {name: _chosen(human_pairs(leaf), share, f"{seed}/held out/{name}") for name, leaf in leaves.items()}


def human_pairs(leaf: KnowledgeLeaf) -> list[tuple[int, Pair]]:
    """Return all pairs of a leaf, each with the index of its seed example."""
    return [(index, pair) for index, example in enumerate(leaf.seed_examples) for pair in example.questions_and_answers]


def _chosen(pairs: list[tuple[int, Pair]], share: float, seed: str) -> list[tuple[int, Pair]]:
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)  # noqa: S311 - reproducible, not secret
    return [pairs[place] for place in sorted(order[: max(1, round(share * len(pairs)))])]
