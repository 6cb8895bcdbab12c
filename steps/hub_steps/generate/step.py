"""The generate step: seed contexts in, training conversations out.

Writes `train.jsonl` (one conversation a line), `preview.md` (pairs to read before training) and `dropped.jsonl` (what was
dropped and why). Human-written pairs are shown to the teacher as examples; those that are not held out for the evaluation
join the data.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps.contract import BadRequestError, StepError, faults, message
from hub_steps.generate.built_in import BUILT_IN
from hub_steps.generate.filters import GeneratedPair, PairFilter
from hub_steps.generate.judge import judge_all
from hub_steps.generate.output import Dropped, write
from hub_steps.generate.prompt import parse_pair, subjects
from hub_steps.generate.serve import reach
from hub_steps.generate.stages import draft_all
from hub_steps.generation import REJECTED, GenerationPipeline
from hub_steps.holdout import held_out, human_pairs
from hub_steps.models.load import cache_folder
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from hub_steps.generate.prompt import HeldOut, Subject
    from hub_steps.generate.stages import Draft
    from hub_steps.parameters import GenerateParameters
    from hub_steps.taxonomy import KnowledgeLeaf
    from hub_steps.workspace import Workspace


def main(workspace: Workspace, parameters: GenerateParameters) -> Outcome:
    """Ask the teacher for pairs about every seed context, keep the good ones and count the others by reason.

    Raises StepError if too few remain, and what reaching the teacher and the judge raises.
    """
    leaves = workspace.leaves()
    pipeline = _pipeline(workspace, parameters)
    hidden = held_out(leaves, parameters.held_out_share, parameters.seed)
    wanted = subjects(leaves, parameters, hidden)
    with reach(parameters.teacher, cache_folder(workspace.request), workspace.path("teacher.log")) as served:
        message(f"asking for {len(wanted)} pairs, {served.parallel_requests} at once")
        drafts = draft_all(served, pipeline, wanted, parameters, workspace)
    kept, dropped = _sift(drafts, leaves, hidden, parameters)
    if parameters.judge:
        kept, dropped = _judged(workspace, kept, dropped, leaves, parameters)
    write(workspace, kept, dropped)
    return _outcome(len(wanted), kept, dropped, parameters)


def _pipeline(workspace: Workspace, parameters: GenerateParameters) -> GenerationPipeline:
    if parameters.pipeline in BUILT_IN:
        return BUILT_IN[parameters.pipeline]
    try:
        return GenerationPipeline.model_validate(workspace.input("pipeline").documents)
    except ValidationError as error:
        raise BadRequestError(f"bad request: {parameters.pipeline}: {faults(error)}") from None


def _sift(
    drafts: list[Draft], leaves: dict[str, KnowledgeLeaf], hidden: HeldOut, parameters: GenerateParameters
) -> tuple[list[GeneratedPair], list[Dropped]]:
    """Return what every rule lets through, and the rest: first what people wrote and the evaluation leaves over."""
    rules = PairFilter(parameters.filters, [pair for pairs in hidden.values() for _, pair in pairs])
    human = [
        GeneratedPair(name, index, pair.question, pair.answer, is_human=True)
        for name, leaf in leaves.items()
        for index, pair in human_pairs(leaf)
        if (index, pair) not in hidden[name]
    ]
    dropped = [Dropped.of(pair, reason) for pair in human if (reason := rules.admit(pair))]
    for draft in drafts:
        if reason := draft.fault or _fault(rules, draft, leaves):
            about = draft.subject
            dropped.append(Dropped(reason, about.leaf, about.seed_index, draft.text))
    return rules.kept, dropped


def _fault(rules: PairFilter, draft: Draft, leaves: dict[str, KnowledgeLeaf]) -> str | None:
    pair = parse_pair(draft.text)
    if pair is None:
        return REJECTED if draft.text.strip().lower().startswith(REJECTED) else "malformed"
    subject = draft.subject
    return rules.judge(GeneratedPair(subject.leaf, subject.seed_index, *pair), _context(leaves, subject))


def _context(leaves: dict[str, KnowledgeLeaf], about: Subject | GeneratedPair) -> str:
    return leaves[about.leaf].seed_examples[about.seed_index].context


def _judged(
    workspace: Workspace,
    kept: list[GeneratedPair],
    dropped: list[Dropped],
    leaves: dict[str, KnowledgeLeaf],
    parameters: GenerateParameters,
) -> tuple[list[GeneratedPair], list[Dropped]]:
    """Return the pairs that the judge finds good enough, and all that was dropped; what people wrote is not judged."""
    assert parameters.judge  # noqa: S101 - asked by the caller
    written = [pair for pair in kept if not pair.is_human]
    if not written:
        return kept, dropped
    reasons = judge_all(workspace, parameters.judge, written, [_context(leaves, pair) for pair in written], parameters)
    poor = {id(pair): reason for pair, reason in zip(written, reasons, strict=True) if reason}
    dropped = dropped + [Dropped.of(pair, poor[id(pair)]) for pair in written if id(pair) in poor]
    return [pair for pair in kept if id(pair) not in poor], dropped


def _outcome(num_wanted: int, kept: list[GeneratedPair], dropped: list[Dropped], parameters: GenerateParameters) -> Outcome:
    reasons = Counter(found.reason for found in dropped if not found.is_human)
    num_human = sum(pair.is_human for pair in kept)
    num_kept = len(kept) - num_human
    summary = f"{num_kept} pairs from {num_wanted} requests; dropped: {_listed(reasons)}"
    if num_kept < parameters.min_pairs:
        raise StepError(f"only {summary}; the spec asks for at least {parameters.min_pairs}")
    metrics: dict[str, Any] = {"requests": num_wanted, "kept": num_kept, "dropped": dict(sorted(reasons.items()))}
    if parameters.held_out_share < 1:
        metrics |= {"human": num_human, "human_like_held_out": sum(found.is_human for found in dropped)}
        summary = f"{summary}; {num_human} pairs that people wrote join them"
    return Outcome(summary, metrics)


def _listed(reasons: Counter[str]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in reasons.most_common()) or "none"
