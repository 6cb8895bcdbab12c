"""Rows of training data: what each shape becomes, and how a bad one is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from trainrun import conversation, write_data

from hub_steps.contract import StepError
from hub_steps.models.chat import IGNORED
from hub_steps.models.load import load_tokenizer
from hub_steps.parameters import TrainStepParameters
from hub_steps.train.data import Data, read_data

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def tokenizer(model: Path) -> Any:
    return load_tokenizer(model)


def read(path: Path, tokenizer: Any, **parameters: Any) -> Data:
    return read_data(path, tokenizer, TrainStepParameters(**parameters))


CHAT = {"max_seq_len": 100}
TEXT = {"is_pretraining": True}
PAIRS = {"algorithm": "dpo"}


@pytest.mark.parametrize(
    ("parameters", "line", "wanted"),
    [
        (CHAT, b'{"messages": []}', "messages: List should have at least 1 item after validation, not 0"),
        (CHAT, b'{"text": "hello"}', "messages: Field required"),
        (CHAT, b'{"messages": [{"role": "boss", "content": ""}]}',
         "messages.0.role: Input should be 'system', 'user' or 'assistant'"),
        (CHAT, b'{"messages": [{"role": "user", "content": "a"}]}', "no turn of an assistant to learn from"),
        (CHAT, b'{"messages": [{"role": "assistant", "content": "a"}]}', "the conversation starts with an assistant's turn"),
        (CHAT, b"[1]", "Input should be a valid dictionary or instance of Conversation"),
        (CHAT, b"{", "Expecting property name"),
        (CHAT, b"", "Expecting value"),
        (CHAT, b'"\xff"', "'utf-8' codec can't decode"),
        (CHAT, b"[" * 100_000, "maximum recursion depth exceeded"),
        (TEXT, b'{"messages": []}', "document: Field required"),
        (TEXT, b'{"document": ""}', "document: String should have at least 1 character"),
        (PAIRS, b'{"prompt": "a", "chosen": "b"}', "rejected: Field required"),
        (PAIRS, b'{"prompt": "a", "chosen": "b", "rejected": "b"}', "the chosen and the rejected answer are the same"),
        (PAIRS, b'{"prompt": [], "chosen": "b", "rejected": "b"}', "prompt.str: Input should be a valid string"),
    ],
)  # fmt: skip
def test_bad_row_is_named_by_its_line(
    parameters: dict[str, Any], line: bytes, wanted: str, tmp_path: Path, tokenizer: Any
) -> None:
    good = {"messages": conversation("a", "b")["messages"], "document": "a b", "prompt": "a", "chosen": "b", "rejected": "c"}
    path = write_data(tmp_path / "rows.jsonl", [good])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(StepError) as caught:
        read(path, tokenizer, **parameters)
    assert str(caught.value).startswith(f"rows.jsonl, line 2: {wanted}")
    assert "\n" not in str(caught.value)


def test_long_samples_are_dropped_never_cut(tmp_path: Path, tokenizer: Any) -> None:
    path = write_data(tmp_path / "rows.jsonl", [conversation("a", "b" * 10), conversation("a", "b" * 90)])
    found = read(path, tokenizer, max_seq_len=50)
    (sample,) = found.train
    assert found.num_too_long == 1
    exact = len(sample["input_ids"])
    assert len(read(path, tokenizer, max_seq_len=exact).train) == 1
    with pytest.raises(StepError, match=f"each of its 2 samples is longer than max_seq_len {exact - 1}"):
        read(path, tokenizer, max_seq_len=exact - 1)


def test_long_preferences_are_dropped(tmp_path: Path, tokenizer: Any) -> None:
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c" * length} for length in (1, 200)]
    found = read(write_data(tmp_path / "rows.jsonl", rows), tokenizer, algorithm="dpo", max_seq_len=50)
    assert (len(found.train), found.num_too_long) == (1, 1)


def learned(tokenizer: Any, sample: dict[str, list[int]]) -> str:
    return str(tokenizer.decode([label for label in sample["labels"] if label != IGNORED]))


@pytest.mark.parametrize("told", ["by the parameter", "by the row"])
def test_unmasked_turns(told: str, tmp_path: Path, tokenizer: Any) -> None:
    row = {"messages": [{"role": "system", "content": "s"}, *conversation("a", "b", "c", "d")["messages"]]}
    masked = write_data(tmp_path / "masked.jsonl", [row])
    assert learned(tokenizer, read(masked, tokenizer).train[0]) == "b<|im_end|>d<|im_end|>"
    if told == "by the row":
        found = read(write_data(tmp_path / "rows.jsonl", [row | {"unmask": True}]), tokenizer)
    else:
        found = read(masked, tokenizer, unmask_messages=True)
    assert learned(tokenizer, found.train[0]) == "a<|im_end|>b<|im_end|>c<|im_end|>d<|im_end|>"


def test_unmasking_leaves_out_what_the_template_adds(tmp_path: Path, tokenizer: Any) -> None:
    from copy import deepcopy

    helpful = deepcopy(tokenizer)
    helpful.chat_template = "<|im_start|>system\nBe helpful.<|im_end|>\n" + tokenizer.chat_template
    path = write_data(tmp_path / "rows.jsonl", [conversation("a", "b")])
    assert learned(helpful, read(path, helpful, unmask_messages=True).train[0]) == "a<|im_end|>b<|im_end|>"


def test_documents_are_cut_into_blocks(tmp_path: Path, tokenizer: Any) -> None:
    texts = ["The river otter sleeps. " * 20, "Short."]
    path = write_data(tmp_path / "rows.jsonl", [{"document": text} for text in texts])
    blocks = read(path, tokenizer, is_pretraining=True, block_size=16).train
    sizes = [len(block["input_ids"]) for block in blocks]
    assert max(sizes) == 16 and sizes.count(16) >= len(sizes) - 2
    whole = tokenizer.decode([token for block in blocks for token in block["input_ids"]])
    assert whole == "".join(f"{text}<|im_end|>" for text in texts)
    assert all(block["labels"] == [IGNORED, *block["input_ids"][1:]] for block in blocks)


@pytest.mark.parametrize("shape", ["strings", "messages"])
def test_preferences(shape: str, tmp_path: Path, tokenizer: Any) -> None:
    row: dict[str, Any] = {"prompt": "a", "chosen": "b", "rejected": "c"}
    if shape == "messages":
        roles = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}
        row = {name: [{"role": roles[name], "content": text}] for name, text in row.items()}
    (sample,) = read(write_data(tmp_path / "rows.jsonl", [row]), tokenizer, algorithm="dpo").train
    assert {name: tokenizer.decode(ids) for name, ids in sample.items()} == {
        "prompt_ids": "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n",
        "chosen_ids": "b<|im_end|>",
        "rejected_ids": "c<|im_end|>",
    }


def test_validation_split(tmp_path: Path, tokenizer: Any) -> None:
    path = write_data(tmp_path / "rows.jsonl", [conversation("a", "b" * (1 + number)) for number in range(10)])
    first, again = (read(path, tokenizer, validation_split=0.3) for _ in range(2))
    assert (len(first.train), len(first.validation)) == (7, 3)
    assert first == again != read(path, tokenizer, validation_split=0.3, seed=7)
    assert not any(sample in first.train for sample in first.validation)
    assert len(read(path, tokenizer, validation_split=0.001).validation) == 1


def test_blocks_of_a_document_stay_on_one_side(tmp_path: Path, tokenizer: Any) -> None:
    path = write_data(tmp_path / "rows.jsonl", [{"document": letter * 40} for letter in "abcd"])
    found = read(path, tokenizer, is_pretraining=True, block_size=16, validation_split=0.25)
    letters = [{tokenizer.decode(sample["input_ids"][:1]) for sample in side} for side in (found.train, found.validation)]
    assert [len(side) for side in letters] == [3, 1]
    assert not letters[0] & letters[1]
