"""Which human-written pairs are held out, and what becomes of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import result, rows, run, write_request
from teacher import Answer, Teacher, asked_text, completion, teaching

from hub_steps.holdout import held_out, human_pairs
from hub_steps.taxonomy import KnowledgeLeaf

if TYPE_CHECKING:
    from pathlib import Path

LEAF = KnowledgeLeaf.model_validate(animals.LEAF)
OTTER, *_ = animals.CONTEXTS


@pytest.mark.parametrize(("share", "number"), [(1.0, 15), (0.5, 8), (0.2, 3), (0.01, 1)])
def test_share(share: float, number: int) -> None:
    found = held_out({"a": LEAF, "b": LEAF}, share, 42)
    assert {name: len(pairs) for name, pairs in found.items()} == {"a": number, "b": number}
    places = [human_pairs(LEAF).index(pair) for pair in found["a"]]
    assert places == sorted(set(places))


def test_choice_is_stable() -> None:
    found = held_out({"a": LEAF, "b": LEAF}, 0.4, 42)
    assert found["a"] == held_out({"a": LEAF}, 0.4, 42)["a"]
    assert found["a"] != found["b"]
    assert found["a"] != held_out({"a": LEAF}, 0.4, 43)["a"]
    assert [pair for pair in held_out({"a": LEAF}, 0.8, 42)["a"] if pair in found["a"]] == found["a"]


def test_pairs_that_are_not_held_out_are_learned(tmp_path: Path) -> None:
    def good(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
        return completion(animals.good_reply(asked_text(body)))

    with teaching(good) as server:
        parameters = server.parameters(held_out_share=0.6, seed=3)
        done = run("generate", write_request(tmp_path, "generate", parameters, {"taxonomy": animals.TAXONOMY}))
    assert (done.code, done.stderr) == (0, "")
    hidden = [pair for _, pair in held_out({animals.NAME: LEAF}, 0.6, 3)[animals.NAME]]
    found = rows(tmp_path / "out" / "train.jsonl")
    human = [row for row in found if row["metadata"].get("human")]
    asked = {row["messages"][0]["content"] for row in human}
    assert asked == {pair.question for _, pair in human_pairs(LEAF)} - {pair.question for pair in hidden}
    assert [row["metadata"] for row in found if row not in human] == [
        {"leaf": animals.NAME, "seed_example": index} for index in range(5)
    ]
    assert result(tmp_path / "out")["metrics"] == {
        "requests": 5, "kept": 5, "dropped": {}, "human": 6, "human_like_held_out": 0,
    }  # fmt: skip
    preview = (tmp_path / "out" / "preview.md").read_text()
    assert preview.count(f"_({animals.NAME}, human)_") == 6
    assert preview.count(f"_({animals.NAME}, generated)_") == 5
    # A prompt shows held-out pairs only of contexts that have no others.
    shown = str([body["messages"][1:-1] for body in server.bodies])
    learned = [pair for pair in human_pairs(LEAF) if pair[1] not in hidden]
    for index, pair in held_out({animals.NAME: LEAF}, 0.6, 3)[animals.NAME]:
        assert pair.question not in shown or index not in {place for place, _ in learned}


def test_pairs_like_a_held_out_one_are_not_learned(tmp_path: Path) -> None:
    again = {"question": "where does an OTTER sleep?", "answer": "Somewhere else."}
    leaf = {**animals.LEAF, "seed_examples": [
        {**seed, "questions_and_answers": [*seed["questions_and_answers"], *([again] if index == 4 else [])]}
        for index, seed in enumerate(animals.LEAF["seed_examples"])]}  # fmt: skip
    parsed = {animals.NAME: KnowledgeLeaf.model_validate(leaf)}
    questions = {seed: {pair.question for _, pair in held_out(parsed, 0.5, seed)[animals.NAME]} for seed in range(50)}
    seed = next(
        seed for seed, found in questions.items() if ("Where does an otter sleep?" in found) != (again["question"] in found)
    )
    with teaching(lambda server, body, handler: completion(animals.good_reply(asked_text(body)))) as server:
        parameters = server.parameters(held_out_share=0.5, seed=seed)
        taxonomy = {"taxonomy": {"key": "7" * 64, "documents": {animals.NAME: leaf}}}
        done = run("generate", write_request(tmp_path, "generate", parameters, taxonomy))
    assert done.code == 0, done.stderr
    dropped = [row for row in rows(tmp_path / "out" / "dropped.jsonl") if row.get("human")]
    assert [row["reason"] for row in dropped] == ["like_held_out"]
    assert "otter sleep?" in dropped[0]["reply"].lower()
