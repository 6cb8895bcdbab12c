"""Taking a teacher's reply apart, and the rules that a pair must satisfy."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_steps.generate.filters import GeneratedPair, PairFilter
from hub_steps.generate.prompt import parse_pair
from hub_steps.parameters import Filters
from hub_steps.taxonomy import Pair

WORDS = st.text(st.characters(codec="utf-8", exclude_characters=":"), min_size=1).filter(lambda text: text.strip())
PIECES = st.sampled_from(
    ["Question:", "Answer:", "\n", " ", "\t", "\r", "\x0b", "\u2028", "a", "?", "\n\nQuestion:", "\n Answer: b"]
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Question: a?\nAnswer: b.", ("a?", "b.")),
        ("\n  Question:a?\r\n\n\tAnswer:b.\n\n", ("a?", "b.")),
        ("Question: a\nb?\nAnswer: c\nd.", ("a b?", "c d.")),
        ("Question: a?\nAnswer: b.\nQuestion: c?\nAnswer: d.", ("a?", "b.")),
        ("Question: a?\nAnswer: b.\n  Question:", ("a?", "b.")),
        ("Question: does 'Question: x' count?\nAnswer: No Answer: here.", ("does 'Question: x' count?", "No Answer: here.")),
        ("Question: a?\nAnswer: b.\nAnswer: c.", ("a?", "b. Answer: c.")),
        ("Question: a? Answer: b.", None),
        ("Question: a?\nQuestion: b?\nAnswer: c.", None),
        ("Answer: b.\nQuestion: a?", None),
        ("Sure!\nQuestion: a?\nAnswer: b.", None),
        ("Question:\nAnswer: b.", None),
        ("Question: a?\nAnswer:  \n", None),
        ("question: a?\nanswer: b.", None),
        ("Question: a?", None),
        ("", None),
    ],
)
def test_parse_pair(text: str, found: tuple[str, str] | None) -> None:
    assert parse_pair(text) == found


@given(WORDS, WORDS)
def test_a_pair_survives(question: str, answer: str) -> None:
    flat = (" ".join(question.split()), " ".join(answer.split()))
    assert parse_pair(f"Question: {question}\nAnswer: {answer}") == flat


@given(st.lists(PIECES, max_size=60).map("".join))
def test_parse_pair_takes_any_text(text: str) -> None:
    found = parse_pair(text)
    if found:
        assert all(part and part == " ".join(part.split()) for part in found)


HOSTILE = """
from hub_steps.generate.prompt import parse_pair
for piece in (" ", "\\n", "Answer:\\n", "\\t\\n", "Question:", "Question:\\n", "\\nQuestion:",
              "\\n Question: a\\n Answer: b"):
    for start in ("", "Question:", "Question: a?", "Question: a?\\nAnswer:", "Question: a?\\nAnswer: b"):
        for end in ("", "x", "\\nAnswer:", "\\nAnswer: b"):
            parse_pair(start + piece * (20_000 // len(piece)) + end)
"""


def test_hostile_replies_do_not_hang_the_step() -> None:
    subprocess.run([sys.executable, "-c", HOSTILE], check=True, timeout=60)


def judge(
    *pairs: tuple[str, str], context: str = "", held_out: tuple[tuple[str, str], ...] = (), **limits: float
) -> list[str | None]:
    held = [Pair(question=question, answer=answer) for question, answer in held_out]
    judged = PairFilter(Filters.model_validate(limits), held)
    return [judged.judge(GeneratedPair("leaf", 0, *pair), context) for pair in pairs]


def test_limits_are_inclusive() -> None:
    four = "alpha beta gamma delta"
    assert judge((f"{four}?", four), context=four, min_question_words=4, max_question_words=4, max_answer_words=4) == [None]
    assert judge((f"{four}?", four), context=four, min_question_words=5) == ["question_length"]
    assert judge((f"{four}?", four), context=four, max_question_words=3) == ["question_length"]
    assert judge((f"{four}?", four), context=four, min_answer_words=5) == ["answer_length"]
    assert judge((f"{four}?", four), context=four, max_answer_words=3) == ["answer_length"]


def test_grounding_counts_longer_words() -> None:
    asked = "Which words are known?"
    assert judge((asked, "the alpha and beta"), context="Alpha, BETA!", min_grounding=1.0) == [None]
    assert judge((asked, "alpha beta gamma other"), context="alpha beta gamma", min_grounding=0.75) == [None]
    assert judge((asked, "alpha beta gamma other"), context="alpha beta gamma", min_grounding=0.76) == ["ungrounded"]
    assert judge((asked, "it is so"), context="it is so", min_grounding=0.1) == ["ungrounded"]


def test_likeness() -> None:
    asked, told = "Which words does it know?", "It knows alpha and beta."
    context = told
    assert judge((asked, told), (asked, told), context=context) == [None, "near_duplicate"]
    assert judge((asked, told), ("Which word does it know?", told), context=context, max_similarity=1.0) == [None, None]
    elsewhere = PairFilter(Filters(), [])
    assert [elsewhere.judge(GeneratedPair(leaf, 0, asked, told), context) for leaf in ("leaf", "other")] == [None, None]


@pytest.mark.parametrize("held", [("does it know which words?", "No."), ("What is it?", "it knows: alpha and beta")])
def test_what_people_wrote_is_held_out(held: tuple[str, str]) -> None:
    told = "It knows alpha and beta."
    assert judge(("Which words does it know?", told), context=told, held_out=(held,)) == ["like_held_out"]


def test_dropped_pairs_do_not_count_as_seen() -> None:
    asked, told = "Which words does it know?", "It knows alpha and beta."
    judged = PairFilter(Filters(), [])
    assert judged.judge(GeneratedPair("leaf", 0, asked, told), "nothing") == "ungrounded"
    assert judged.judge(GeneratedPair("leaf", 1, asked, told), told) is None


@given(st.text(), st.text(), st.text())
def test_every_pair_is_judged(question: str, answer: str, context: str) -> None:
    reasons = {
        "malformed",
        "question_length",
        "answer_length",
        "repetitive",
        "ungrounded",
        "like_held_out",
        "near_duplicate",
    }
    first, second = judge((question, answer), (question, answer), context=context, held_out=(("Is it?", "It is."),))
    assert first in reasons | {None}
    assert second == (first or "near_duplicate")
