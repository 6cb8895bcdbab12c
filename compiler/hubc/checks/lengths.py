"""Rules over what models can read and write at once, in tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.view import Finding
from hubc.estimates.find_config import config_in_repository, find_config
from hubc.lookups import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hubc.checks.view import Training, View
    from hubc.source import Location

RULE = "sequence-too-long"


def samples(view: View) -> Iterator[Finding]:
    """`sequence-too-long`: positions that a model never learned give noise, and a sample must fit one pass."""
    config = view.spec.model.config
    limit = _configured(view.root, config) if config else _known(view.spec.model.location)
    for training in view.trainings:
        told = training.parameters
        field = "block_size" if told.is_pretraining else "max_seq_len"
        longest = getattr(told, field)
        if told.algorithm == "custom":
            continue
        if limit is not None and longest > limit:
            yield Finding(training.place(field), RULE, f"{field} is {longest}, and the model reads at most {limit} tokens",
                          f"write '{field}: {limit}' or less")  # fmt: skip
        yield from _passes(training, field, longest)


def _passes(training: Training, field: str, longest: int) -> Iterator[Finding]:
    told = training.parameters
    tokens = longest * (2 if told.algorithm == "dpo" else 1)
    if told.max_tokens_per_gpu is not None and told.max_tokens_per_gpu < tokens:
        pair = " (both answers of a pair)" if told.algorithm == "dpo" else ""
        message = f"a sample may have {tokens} tokens{pair}, and max_tokens_per_gpu takes {told.max_tokens_per_gpu}"
        remedy = f"write at least {tokens}, or a smaller '{field}': a sample that does not fit fails the step"
        yield Finding(training.place("max_tokens_per_gpu"), RULE, message, remedy)


def contexts(view: View) -> Iterator[Finding]:
    """`sequence-too-long`: a served model answers nothing sensible beyond its context, and needs room for the question."""
    for place, model in view.asked():
        if model.serve is None:
            continue
        context, limit = model.serve.context_tokens, _known(model.serve.location)
        if limit is not None and context > limit:
            yield Finding((*place, "serve", "context_tokens"), RULE,
                          f"context_tokens is {context}, and the model reads at most {limit} tokens",
                          f"write 'context_tokens: {limit}' or less")  # fmt: skip
        field, answer = _longest_answer(view, place)
        if answer >= context:
            yield Finding((*place[:-1], field), RULE,
                          f"{field} is {answer}, which leaves no room for a prompt in context_tokens {context}",
                          f"write a smaller '{field}', or a larger 'context_tokens'")  # fmt: skip


def _longest_answer(view: View, place: Location) -> tuple[str, int]:
    """Return how long the answers of a teacher or judge may be, and the field beside it that says so."""
    if place == ("spec", "generate", "teacher") and view.spec.generate:
        return "max_tokens", view.spec.generate.max_tokens
    suite = view.spec.evaluate.suites[int(place[3])] if view.spec.evaluate and place[1] == "evaluate" else None
    return "judge_max_tokens", suite.judge_max_tokens if suite and suite.suite in ("mt_bench", "mt_bench_branch") else 0


@remembered
def _configured(root: Path, config: str) -> int | None:
    return _limit(config_in_repository(root, config))


@remembered
def _known(location: str) -> int | None:
    return _limit(find_config(location))


def _limit(config: Path | None) -> int | None:
    """Return how many tokens the model of a config reads; None where that cannot be known here."""
    from hubc.estimates.model_shape import ShapeError, read_shape

    try:
        return read_shape(config).max_position_embeddings if config else None
    except ShapeError:
        return None
