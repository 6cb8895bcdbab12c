"""Which tokens of a conversation carry the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub_steps.models.chat import IGNORED, encode
from hub_steps.models.load import load_tokenizer

if TYPE_CHECKING:
    from pathlib import Path

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).map(str.strip).filter(bool)
TURNS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def tokenizer(model: Path) -> Any:
    return load_tokenizer(model)


def conversation(turns: list[tuple[str, str]], system: str | None = None) -> list[dict[str, str]]:
    messages = [{"role": "system", "content": system}] if system else []
    for asked, told in turns:
        messages += [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]
    return messages


def learned(ids: list[int], labels: list[int]) -> list[list[int]]:
    """Return the runs of labelled tokens."""
    runs: list[list[int]] = [[]]
    for token, label in zip(ids, labels, strict=True):
        if label == IGNORED:
            runs.append([])
        else:
            assert label == token
            runs[-1].append(label)
    return [run for run in runs if run]


@given(TURNS, st.none() | TEXT)
def test_labels_cover_the_assistant_and_its_end_of_turn(
    tokenizer: Any, turns: list[tuple[str, str]], system: str | None
) -> None:
    messages = conversation(turns, system)
    ids, labels = encode(tokenizer, messages)
    assert tokenizer.decode(ids) == tokenizer.apply_chat_template(messages, tokenize=False)
    assert [tokenizer.decode(run) for run in learned(ids, labels)] == [f"{told}<|im_end|>" for _, told in turns]


def test_conversation_that_ends_with_a_question(tokenizer: Any) -> None:
    ids, labels = encode(tokenizer, [*conversation([("a?", "b.")]), {"role": "user", "content": "c?"}])
    assert [tokenizer.decode(run) for run in learned(ids, labels)] == ["b.<|im_end|>"]


def test_template_that_changes_earlier_turns_is_refused(tokenizer: Any) -> None:
    from copy import deepcopy

    odd = deepcopy(tokenizer)
    odd.chat_template = "{{ messages | length }}" + tokenizer.chat_template
    with pytest.raises(ValueError, match="the chat template changes earlier turns"):
        encode(odd, conversation([("a", "b"), ("c", "d")]))


def test_template_that_refuses_a_conversation(tokenizer: Any) -> None:
    from copy import deepcopy

    strict = deepcopy(tokenizer)
    strict.chat_template = "{{ raise_exception('no system turns, please') }}"
    with pytest.raises(ValueError, match=r"the chat template refuses the conversation: no system turns, please"):
        encode(strict, conversation([("a", "b")], system="c"))


def test_nothing_asked(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="starts with an assistant's turn"):
        encode(tokenizer, [{"role": "assistant", "content": "b"}])
