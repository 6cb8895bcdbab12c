"""The generate step against a teacher on this machine: what it asks, what it keeps, and what it drops and why."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import Done, files, result, rows, run, write_request
from teacher import Answer, Teacher, asked_text, completion, teaching

if TYPE_CHECKING:
    from pathlib import Path

KEY = "sk-a-very-secret-key"
VARIABLE = "HUBC_SECRET_TEACHER__API_KEY"
WITH_KEY = {"endpoint": {"api_key": {"secret": "teacher", "key": "api-key"}}}
OTTER, MARMOT, SWIFT, TORTOISE, BEE = animals.CONTEXTS
INPUTS = {"taxonomy": animals.TAXONOMY}


def pair(question: str, answer: str) -> str:
    return f"Question: {question}\nAnswer: {answer}"


def good(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
    return completion(animals.good_reply(asked_text(body)))


HALF_CHARACTER = completion(pair("What is said about the swift's \ud800 flights?", "The swift flies for ten months."))
SCRIPT: list[tuple[str | None, str | Answer]] = [
    # Four requests for each context, in the order of the leaf.
    (None, animals.good_reply(OTTER)),
    ("malformed", "I would rather talk about the weather."),
    ("malformed", pair("Tell me where the otter sleeps", "The river otter sleeps in a den.")),
    ("near_duplicate", animals.good_reply(OTTER).replace("start with?", "START with?")),
    ("ungrounded", pair("What is the marmot's favourite colour?", "Purple bicycles and concrete elephants.")),
    (None, animals.good_reply(MARMOT)),
    ("question_length", pair("Why?", "It whistles when an eagle appears.")),
    ("like_held_out", pair("how long does a Marmot hibernate?", "It hibernates for seven months.")),
    ("repetitive", pair("What does the swift do all day up there?", "The common swift flies for ten, " * 3)),
    ("cut_off", completion("Question: What does the swift", "length")),
    (None, HALF_CHARACTER),
    ("answer_length", pair("How long does the swift stay in the air?", "Ten months.")),
    (None, animals.good_reply(TORTOISE) + "\nQuestion: And what then?\nAnswer: Nothing."),
    ("empty", completion("  \n")),
    ("empty", completion(None)),
    ("teacher_error", (400, b'{"error": {"message": "not for Bearer ' + KEY.encode() + b'"}}')),
    (None, "  " + animals.good_reply(BEE).replace("\n", "\n\n\t ") + "\n"),
    ("teacher_error", (422, b"<html>\n<h1>" + b"-" * 170 + KEY.encode() + b"</h1>\n</html>")),
    ("question_length", pair("What is it that the bee " + "really " * 40 + "does?", "It dances to show distances.")),
    ("malformed", "Sure! " + animals.good_reply(BEE)),
]


@dataclass(frozen=True)
class Generated:
    """A step whose teacher followed the script."""

    folder: Path
    done: Done
    bodies: list[dict[str, Any]]
    authorizations: set[str]


def follow_script(folder: Path) -> Generated:
    answers: dict[int, Answer] = {}
    with teaching(lambda server, body, handler: answers[body["seed"]]) as server:
        parameters = server.parameters(samples_per_seed=4, temperature=0.3, top_p=0.5, max_tokens=99, **WITH_KEY)
        seeds = [task.seed for task in animals.planned(parameters)]
        replies = [completion(reply) if isinstance(reply, str) else reply for _, reply in SCRIPT]
        answers.update(zip(seeds, replies, strict=True))
        request = write_request(folder, "generate", parameters, INPUTS)
        done = run("generate", request, **{VARIABLE: f"{KEY}\n"})
    return Generated(folder / "out", done, server.bodies, server.authorizations)


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return follow_script(tmp_path_factory.mktemp("scripted"))


def test_every_reason_is_counted(generated: Generated) -> None:
    assert (generated.done.code, generated.done.stderr) == (0, "")
    dropped = {"malformed": 3, "question_length": 2, "empty": 2, "teacher_error": 2} | dict.fromkeys(
        ("near_duplicate", "ungrounded", "like_held_out", "repetitive", "cut_off", "answer_length"), 1
    )
    found = result(generated.folder)
    assert found["metrics"] == {"requests": 20, "kept": 5, "dropped": dict(sorted(dropped.items()))}
    assert found["summary"].startswith("5 pairs from 20 requests; dropped: 3 malformed, ")
    told = rows(generated.folder / "dropped.jsonl")
    assert sorted(row["reason"] for row in told) == sorted(reason for reason, _ in SCRIPT if reason)
    assert {"reason": "malformed", "leaf": animals.NAME, "seed_example": 0, "reply": SCRIPT[1][1]} in told
    assert [row["reply"][:9] for row in told if row["reason"] == "teacher_error"] == ["HTTP 400:", "HTTP 422:"]


def test_good_pairs_become_conversations(generated: Generated) -> None:
    kept = rows(generated.folder / "train.jsonl")
    assert [row["metadata"] for row in kept] == [{"leaf": animals.NAME, "seed_example": index} for index in range(5)]
    assert [turn["role"] for turn in kept[0]["messages"]] == ["user", "assistant"]
    texts = [pair(*(turn["content"] for turn in row["messages"])) for row in kept]
    assert texts[:2] + texts[3:] == [animals.good_reply(context) for context in (OTTER, MARMOT, TORTOISE, BEE)]
    assert "swift's ? flights" in texts[2]
    preview = (generated.folder / "preview.md").read_text(encoding="utf-8")
    assert all(row["messages"][0]["content"] in preview for row in kept)


def test_human_written_pairs_are_never_data(generated: Generated) -> None:
    questions = {row["messages"][0]["content"] for row in rows(generated.folder / "train.jsonl")}
    assert not questions & {question for question, _ in animals.QUESTIONS}


def test_prompts_show_examples_of_other_contexts_only(generated: Generated) -> None:
    assert len(generated.bodies) == len(SCRIPT)
    for body in generated.bodies:
        system, *examples, asked = body["messages"]
        assert system["role"] == "system" and "one question" in system["content"]
        assert [turn["role"] for turn in examples] == ["user", "assistant"] * 3
        own = asked["content"].removeprefix("Text: ")
        for shown, reply in zip(examples[::2], examples[1::2], strict=True):
            context = shown["content"].removeprefix("Text: ")
            assert context in animals.CONTEXTS and context != own
            assert reply["content"] in [pair(*known) for known in animals.CONTEXTS[context]]
        assert not any(known in str(examples) for told in animals.CONTEXTS[own] for known in told)
        assert {name: body[name] for name in ("path", "model", "temperature", "top_p", "max_tokens")} == {
            "path": "/v1/chat/completions", "model": "wise", "temperature": 0.3, "top_p": 0.5, "max_tokens": 99,
        }  # fmt: skip


def test_key_is_sent_and_never_written(generated: Generated) -> None:
    assert generated.authorizations == {f"Bearer {KEY}"}
    assert KEY not in generated.done.stdout + generated.done.stderr
    assert "***" in generated.done.stdout
    for name, content in files(generated.folder).items():
        assert KEY[:8].encode() not in content, name


def test_the_same_replies_give_the_same_files(generated: Generated, tmp_path: Path) -> None:
    again = follow_script(tmp_path)
    for name in ("train.jsonl", "dropped.jsonl", "preview.md"):
        assert (again.folder / name).read_bytes() == (generated.folder / name).read_bytes()


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two steps whose requests all wait for each other; the replies come in one order, and in its reverse."""

    def one(folder: Path, reverse: bool) -> Path:
        barrier = threading.Barrier(5, timeout=60)
        seeds: list[int] = []
        answered: list[int] = []

        def behaviour(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
            barrier.wait()
            with server.lock:
                server.lock.wait_for(lambda: body["seed"] == seeds[len(answered)], timeout=60)
                answered.append(body["seed"])
                server.lock.notify_all()
            return good(server, body, handler)

        with teaching(behaviour) as server:
            parameters = server.parameters()
            seeds += [task.seed for task in animals.planned(parameters)][:: -1 if reverse else 1]
            done = run("generate", write_request(folder, "generate", parameters, INPUTS))
        assert (done.code, answered) == (0, seeds)
        return folder / "out"

    return [one(tmp_path_factory.mktemp("ordered"), reverse) for reverse in (False, True)]


def test_requests_are_under_way_together_and_their_order_does_not_matter(ordered: list[Path]) -> None:
    for name in ("train.jsonl", "dropped.jsonl", "preview.md"):
        assert (ordered[0] / name).read_bytes() == (ordered[1] / name).read_bytes()
    assert len(rows(ordered[0] / "train.jsonl")) == 5


def test_parallel_requests_is_a_limit(tmp_path: Path) -> None:
    under_way, most = 0, 0

    def behaviour(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
        nonlocal under_way, most
        with server.lock:
            under_way += 1
            most = max(most, under_way)
        answer = good(server, body, handler)
        with server.lock:
            under_way -= 1
        return answer

    with teaching(behaviour) as server:
        parameters = server.parameters(samples_per_seed=3, endpoint={"parallel_requests": 1})
        assert run("generate", write_request(tmp_path, "generate", parameters, INPUTS)).code == 0
    assert (most, len(server.bodies)) == (1, 15)


def test_too_few_pairs(tmp_path: Path) -> None:
    with teaching(good) as server:
        done = run("generate", write_request(tmp_path, "generate", server.parameters(min_pairs=6), INPUTS))
    assert (done.code, done.error) == (1, "only 5 pairs from 5 requests; dropped: none; the spec asks for at least 6")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "wanted"),
    [("", f"the teacher's key is missing: set {VARIABLE}"), ("\n", f"the teacher's key is missing: set {VARIABLE}"),
     ("sk-\u2713", f"the teacher's key in {VARIABLE} holds characters that no header can carry")],
)  # fmt: skip
def test_key_that_cannot_be_used(key: str, wanted: str, tmp_path: Path) -> None:
    with teaching(good) as server:
        request = write_request(tmp_path, "generate", server.parameters(**WITH_KEY), INPUTS)
        done = run("generate", request, **{VARIABLE: key})
    assert (done.code, done.error, server.bodies) == (1, wanted, [])


def test_excerpts_go_through_the_sentences(tmp_path: Path) -> None:
    parameters = {"teacher": {"endpoint": {"url": "http://localhost/v1", "model": "x"}}, "samples_per_seed": 3,
                  "excerpt_sentences": 1, "num_examples": 1}  # fmt: skip
    asked = [task.messages[-1]["content"] for task in animals.planned(parameters)]
    first, second = OTTER.split(". ")
    assert asked[:3] == [f"Text: {first}.", f"Text: {second}", f"Text: {first}."]
    whole = animals.planned(parameters | {"excerpt_sentences": 0})
    assert {task.messages[-1]["content"] for task in whole} == {f"Text: {context}" for context in animals.CONTEXTS}
    other = animals.planned(parameters | {"seed": 7})
    assert json.dumps([task.messages for task in other]) != json.dumps(
        [task.messages for task in animals.planned(parameters)]
    )
