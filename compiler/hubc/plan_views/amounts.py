"""How many tokens the steps of a plan write and read, as far as the plan itself tells; the rest stays unknown."""

from __future__ import annotations

import csv
from io import StringIO
from statistics import fmean
from typing import TYPE_CHECKING, Any

from hubc.estimates.work import Span, generation_tokens, tokens_of_text
from hubc.plan import External, Reference

if TYPE_CHECKING:
    from hubc.plan import Plan, Step

KEPT = Span(0.25, 0.7, 1.0)
"""Share of the generated pairs that the filters keep: that of a small teacher, of a good one, and the most."""
NUM_STAGES = {"simple": 1, "full": 3}
"""Requests for a pair, of the built-in generation pipelines."""
QUESTION_TOKENS = 20
"""A guess for a question and the chat template's own tokens."""
SENTENCE_CHARACTERS = 120
"""A guess, for prompts that show a few sentences of a context."""


def generated(step: Step) -> Span | None:
    """Return the tokens of a generate step's prompts and answers; None if the taxonomy is not at hand."""
    seeds = _seeds(step.inputs["taxonomy"])
    if not seeds:
        return None
    told = step.parameters
    context = fmean(len(seed["context"]) for seed in seeds)
    if told["excerpt_sentences"]:
        context = min(context, told["excerpt_sentences"] * SENTENCE_CHARACTERS)
    pair = fmean(len(item["question"]) + len(item["answer"]) for seed in seeds for item in _pairs(seed))
    prompt = context + told["num_examples"] * (context + pair)
    requests = len(seeds) * told["samples_per_seed"] * _num_stages(step)
    return generation_tokens(requests, round(prompt), told["max_tokens"])


def trained(plan: Plan, step: Step) -> Span | None:
    """Return the tokens of one epoch of a training step; None if a data set is not at hand."""
    data = step.inputs["data"]
    return _tokens(plan, plan.step(data.step)) if isinstance(data, Reference) else None


def longest_sample(plan: Plan, step: Step) -> int | None:
    """Return the tokens of the longest sample that a training can meet; None if it learns from more than generated data."""
    data = step.inputs["data"]
    producer = plan.step(data.step) if isinstance(data, Reference) else None
    if producer is None or producer.kind != "generate" or step.parameters["is_pretraining"]:
        return None
    told = producer.parameters
    words: int = told["filters"]["max_question_words"]
    return int(min(step.parameters["max_seq_len"], told["max_tokens"] + 2 * words + QUESTION_TOKENS))


def asked(step: Step) -> Span | None:
    """Return the tokens of the held-out questions and their answers; None for other suites, or a taxonomy not at hand."""
    suite, taxonomy = step.parameters["suite"], step.inputs.get("taxonomy")
    if taxonomy is None or suite["suite"] not in ("held_out", "mmlu_branch"):
        return None
    pairs = [item for seed in _seeds(taxonomy) for item in _pairs(seed)]
    text = tokens_of_text(sum(len(item["question"]) + len(item["answer"]) for item in pairs))
    if not pairs:
        return None
    new = len(pairs) * suite.get("max_new_tokens", 0)
    share: float = step.parameters["held_out_share"]
    return _plus(text, Span(new / 4, new / 2, new)) * share


def _tokens(plan: Plan, step: Step) -> Span | None:
    """Return the tokens of the training data that a generate or mix step writes."""
    if step.kind == "generate":
        seeds, told = _seeds(step.inputs["taxonomy"]), step.parameters
        answer = Span(told["max_tokens"] / 4, told["max_tokens"] / 2, told["max_tokens"])
        kept = KEPT * (len(seeds) * told["samples_per_seed"])
        return kept * _plus(answer, Span.exactly(QUESTION_TOKENS)) if seeds else None
    found: list[Span | None] = []
    for name, value in step.inputs.items():
        if isinstance(value, Reference):
            size, whole = step.parameters["generated_sampling_size"], _tokens(plan, plan.step(value.step))
            found.append(whole * size if whole and isinstance(size, float) else whole)
        else:
            found.append(_dataset(value, step.parameters["datasets"][name.partition(".")[2]]))
    known = [span for span in found if span is not None]
    return _plus(*known) if known and len(known) == len(found) else None


def _dataset(value: External, told: dict[str, Any]) -> Span | None:
    """Return the tokens that are used of a data set whose text the plan holds."""
    text = (value.documents or {}).get("text")
    if text is None:
        return None
    is_csv = told["file_format"] == "csv" or told["location"].endswith(".csv")
    lines = [line for line in text.splitlines() if line.strip()]
    num_rows = len(list(csv.reader(StringIO(text, newline="")))) - 1 if is_csv else len(lines)
    size = told["sampling_size"]
    share = size if isinstance(size, float) else size / max(num_rows, 1)
    return tokens_of_text(len(text)) * share


def _seeds(taxonomy: External | Reference) -> list[dict[str, Any]]:
    documents = taxonomy.documents if isinstance(taxonomy, External) else None
    return [seed for leaf in (documents or {}).values() for seed in leaf["seed_examples"]]


def _pairs(seed: dict[str, Any]) -> list[dict[str, Any]]:
    pairs: list[dict[str, Any]] = seed["questions_and_answers"]
    return pairs


def _num_stages(step: Step) -> int:
    own = step.inputs.get("pipeline")
    if isinstance(own, External) and own.documents:
        return len(own.documents["stages"])
    return NUM_STAGES[step.parameters["pipeline"]]


def _plus(*spans: Span) -> Span:
    return Span(sum(span.low for span in spans), sum(span.likely for span in spans), sum(span.high for span in spans))
