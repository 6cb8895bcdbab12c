"""The generate step: seed contexts in, training conversations out.

Writes `train.jsonl` (one conversation a line), `preview.md` (pairs to read before training) and `dropped.jsonl` (what was
dropped and why). The human-written pairs of the taxonomy are used as examples in prompts and never written as data.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError, message
from hub_steps.generate.ask import Reply, ask_all
from hub_steps.generate.filters import GeneratedPair, PairFilter
from hub_steps.generate.prompt import parse_pair, tasks
from hub_steps.generate.serve import reach
from hub_steps.models.load import cache_folder
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from hub_steps.parameters import GenerateParameters
    from hub_steps.taxonomy import KnowledgeLeaf
    from hub_steps.workspace import Workspace

PREVIEW_PAIRS = 20


def main(workspace: Workspace, parameters: GenerateParameters) -> Outcome:
    """Ask the teacher for pairs about every seed context, keep the good ones and count the others by reason.

    Raises StepError if too few remain, and what reaching the teacher raises.
    """
    leaves = workspace.leaves()
    wanted = tasks(leaves, parameters)
    with reach(parameters.teacher, cache_folder(workspace.request), workspace.path("teacher.log")) as served:
        message(f"asking for {len(wanted)} pairs, {served.parallel_requests} at once")
        replies = ask_all(served, wanted, parameters)
    kept, dropped = _sift(replies, leaves, parameters)
    _write(workspace, kept, dropped)
    reasons = Counter(reason for _, reason in dropped)
    summary = f"{len(kept)} pairs from {len(wanted)} requests; dropped: {_listed(reasons)}"
    if len(kept) < parameters.min_pairs:
        raise StepError(f"only {summary}; the spec asks for at least {parameters.min_pairs}")
    metrics: dict[str, Any] = {"requests": len(wanted), "kept": len(kept), "dropped": dict(sorted(reasons.items()))}
    return Outcome(summary, metrics)


def _sift(
    replies: list[Reply], leaves: dict[str, KnowledgeLeaf], parameters: GenerateParameters
) -> tuple[list[GeneratedPair], list[tuple[Reply, str]]]:
    held_out = [pair for leaf in leaves.values() for seed in leaf.seed_examples for pair in seed.questions_and_answers]
    judge = PairFilter(parameters.filters, held_out)
    dropped: list[tuple[Reply, str]] = []
    for reply in replies:
        reason = reply.fault or _judge(judge, reply, leaves)
        if reason:
            dropped.append((reply, reason))
    return judge.kept, dropped


def _judge(judge: PairFilter, reply: Reply, leaves: dict[str, KnowledgeLeaf]) -> str | None:
    pair = parse_pair(reply.text)
    if pair is None:
        return "malformed"
    task = reply.task
    context = leaves[task.leaf].seed_examples[task.seed_index].context
    return judge.judge(GeneratedPair(task.leaf, task.seed_index, *pair), context)


def _write(workspace: Workspace, kept: list[GeneratedPair], dropped: list[tuple[Reply, str]]) -> None:
    with workspace.path("train.jsonl").open("w", encoding="utf-8") as file:
        for pair in kept:
            turns = [{"role": "user", "content": pair.question}, {"role": "assistant", "content": pair.answer}]
            row = {"messages": turns, "metadata": {"leaf": pair.leaf, "seed_example": pair.seed_index}}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    with workspace.path("dropped.jsonl").open("w", encoding="utf-8") as file:
        for reply, reason in dropped:
            told = {"leaf": reply.task.leaf, "seed_example": reply.task.seed_index, "reply": reply.text}
            file.write(json.dumps({"reason": reason, **told}, ensure_ascii=False) + "\n")
    step = max(1, len(kept) // PREVIEW_PAIRS)
    shown = (f"**{pair.question}**{os.linesep}{os.linesep}{pair.answer} _({pair.leaf})_" for pair in kept[::step])
    workspace.path("preview.md").write_text("\n\n".join(shown) + "\n", encoding="utf-8")


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in reasons.most_common()) or "none"
