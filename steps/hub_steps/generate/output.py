"""The files of a generation: training data, what was dropped and why, and a sample for people to read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hub_steps.generate.prompt import pair_text

if TYPE_CHECKING:
    from hub_steps.generate.filters import GeneratedPair
    from hub_steps.workspace import Workspace

PREVIEW_PAIRS = 20


@dataclass(frozen=True)
class Dropped:
    """What does not become training data; `text` is what the teacher said, or the pair."""

    reason: str
    leaf: str
    seed_index: int
    text: str
    is_human: bool = False

    @classmethod
    def of(cls, pair: GeneratedPair, reason: str) -> Dropped:
        """Return a pair that is dropped for a reason."""
        return cls(reason, pair.leaf, pair.seed_index, pair_text(pair.question, pair.answer), pair.is_human)


def write(workspace: Workspace, kept: list[GeneratedPair], dropped: list[Dropped]) -> None:
    """Write `train.jsonl`, `dropped.jsonl` and `preview.md`."""
    with workspace.path("train.jsonl").open("w", encoding="utf-8") as file:
        for pair in kept:
            turns = [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}]
            about = {"leaf": pair.leaf, "seed_example": pair.seed_index} | _mark(pair.is_human)
            file.write(json.dumps({"messages": turns, "metadata": about}, ensure_ascii=False) + "\n")
    with workspace.path("dropped.jsonl").open("w", encoding="utf-8") as file:
        for found in dropped:
            told = {"leaf": found.leaf, "seed_example": found.seed_index, "reply": found.text} | _mark(found.is_human)
            file.write(json.dumps({"reason": found.reason, **told}, ensure_ascii=False) + "\n")
    step = max(1, len(kept) // PREVIEW_PAIRS)
    workspace.path("preview.md").write_text("\n\n".join(map(_shown, kept[::step])) + "\n", encoding="utf-8")


def _mark(is_human: bool) -> dict[str, bool]:
    return {"human": True} if is_human else {}


def _shown(pair: GeneratedPair) -> str:
    who = "human" if pair.is_human else "generated"
    return f"**{pair.question}**{os.linesep}{os.linesep}{pair.answer} _({pair.leaf}, {who})_"
