"""Metrics of answers, which of them are better when they are lower, and what became of a figure."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from typing import Annotated, Literal

from pydantic import BeforeValidator

from hub_steps.parameters.evaluate import LOWER_IS_BETTER

Verdict = Literal["improved", "regressed", "no change"]
Figure = Annotated[
    float | None,
    BeforeValidator(lambda value: None if isinstance(value, float) and not math.isfinite(value) else value),
]
"""A value that was measured; None where what was measured is not a number."""
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def token_f1(answer: str, reference: str) -> float:
    """Return the harmonic mean of precision and recall over normalized words, 0 to 1.

    Source: SQuAD's evaluation (https://aclanthology.org/D16-1264): lower case, no punctuation, no articles.
    """
    given, wanted = _words(answer), _words(reference)
    if not given or not wanted:
        return float(given == wanted)
    common = sum((Counter(given) & Counter(wanted)).values())
    if not common:
        return 0.0
    precision, recall = common / len(given), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def is_lower_better(metric: str) -> bool:
    """Tell whether less of a metric is better; a harness's `TASK.METRIC,FILTER` goes by its METRIC."""
    return metric.rpartition(".")[2].partition(",")[0] in LOWER_IS_BETTER


def verdict(base: float | None, tuned: float | None, min_change: float, *, lower_is_better: bool) -> Verdict:
    """Return what became of a figure; a change smaller than `min_change` is none.

    What is not a number is worse than any number.
    """
    if base is None or tuned is None:
        return "no change" if base == tuned else "regressed" if tuned is None else "improved"
    gain = base - tuned if lower_is_better else tuned - base
    if abs(gain) < min_change or gain == 0:
        return "no change"
    return "improved" if gain > 0 else "regressed"


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
