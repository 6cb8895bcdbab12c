"""Which generated pairs are good enough to train on, and why the others are not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hub_steps.parameters import Filters
    from hub_steps.taxonomy import Pair

_WORD = re.compile(r"\w+")
SHORT_WORD = 3
"""Words up to this length say little about grounding."""
REPEATED_WORDS = 5
"""A run of this many words that comes twice means that the teacher went in circles."""


@dataclass(frozen=True)
class GeneratedPair:
    """A question and an answer about a seed context of a leaf, written by the teacher or by people."""

    leaf: str
    seed_index: int
    question: str
    answer: str
    is_human: bool = False


class PairFilter:
    """Judges pairs one after the other; each is also compared with those that were kept before it."""

    def __init__(self, filters: Filters, held_out: Iterable[Pair]) -> None:
        """Take the rules, and the held-out pairs of all leaves: a leaf may be asked about what another one holds out."""
        self.filters = filters
        held = list(held_out)
        self.questions = {pair.question for pair in held}
        self.answers = {pair.answer for pair in held}
        self.kept: list[GeneratedPair] = []

    def judge(self, pair: GeneratedPair, context: str) -> str | None:
        """Return why the pair is dropped, or None after keeping it."""
        reason = self._fault(pair, context)
        if reason is None:
            self.kept.append(pair)
        return reason

    def admit(self, pair: GeneratedPair) -> str | None:
        """Keep a pair that people wrote, unless it is like one that is held out; return the reason then."""
        if self._is_like_held_out(pair):
            return "like_held_out"
        self.kept.append(pair)
        return None

    def _fault(self, pair: GeneratedPair, context: str) -> str | None:
        limits = self.filters
        question, answer = _WORD.findall(pair.question), _WORD.findall(pair.answer)
        if not pair.question.endswith("?"):
            return "malformed"
        if not limits.min_question_words <= len(question) <= limits.max_question_words:
            return "question_length"
        if not limits.min_answer_words <= len(answer) <= limits.max_answer_words:
            return "answer_length"
        if _repeats(answer):
            return "repetitive"
        if _grounding(answer, context) < limits.min_grounding:
            return "ungrounded"
        if self._is_like_held_out(pair):
            return "like_held_out"
        if self._is_alike(_text(pair), (_text(old) for old in self.kept if old.leaf == pair.leaf)):
            return "near_duplicate"
        return None

    def _is_like_held_out(self, pair: GeneratedPair) -> bool:
        return self._is_alike(pair.question, self.questions) or self._is_alike(pair.answer, self.answers)

    def _is_alike(self, text: str, others: Iterable[str]) -> bool:
        return any(_alike(text, other) >= self.filters.max_similarity for other in others)


def _grounding(answer: list[str], context: str) -> float:
    """Return the share of the answer's longer words that stand in the context; 0 if it has none."""
    known = {word.lower() for word in _WORD.findall(context)}
    words = [word.lower() for word in answer if len(word) > SHORT_WORD]
    return sum(word in known for word in words) / len(words) if words else 0.0


def _repeats(words: list[str]) -> bool:
    runs = [tuple(words[start : start + REPEATED_WORDS]) for start in range(len(words) - REPEATED_WORDS + 1)]
    return len(set(runs)) < len(runs)


def _alike(one: str, other: str) -> float:
    """Return the likeness of two texts, 0 to 1, whatever the case and order of their words."""
    return fuzz.token_sort_ratio(one.lower(), other.lower()) / 100


def _text(pair: GeneratedPair) -> str:
    return f"{pair.question} {pair.answer}"
