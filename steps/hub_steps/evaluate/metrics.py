"""Answer metrics and their comparison."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import Literal

Verdict = Literal["improved", "regressed", "no change"]
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


def verdict(base: float, tuned: float, min_change: float, *, lower_is_better: bool) -> Verdict:
    """Return what became of a figure; a change smaller than `min_change` is none."""
    gain = base - tuned if lower_is_better else tuned - base
    if abs(gain) < min_change or gain == 0:
        return "no change"
    return "improved" if gain > 0 else "regressed"


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()
