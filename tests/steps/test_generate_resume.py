"""A generation that was killed goes on after its last batch, and never with answers to other questions."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import animals
from steprun import files, finish, rows, run, start, until_event, write_request
from teacher import Answer, Teacher, asked_text, completion, teaching

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = {"taxonomy": animals.TAXONOMY}
NUM_TASKS = 20


def good(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
    return completion(animals.good_reply(asked_text(body)))


def killed(folder: Path, number: signal.Signals) -> int:
    """Kill a step whose teacher answers twelve requests in batches of five; return how many answers are on the disk."""
    allowed = threading.Semaphore(12)

    def some(server: Teacher, body: dict[str, Any], handler: object) -> Answer | None:
        while not allowed.acquire(timeout=0.05):
            if server.closing.is_set():
                return None
        return good(server, body, handler)

    with teaching(some) as server:
        parameters = server.parameters(samples_per_seed=4, batch_size=5)
        process = start("generate", write_request(folder, "generate", parameters, INPUTS))
        until_event(process, '"progress"', 12)
        process.send_signal(number)
        finish(process)
    return len(rows(folder / "out.partial" / "scratch" / "answers-pair.jsonl"))


def again(folder: Path, **more: Any) -> int:
    """Run the step to its end; return how many requests it sent."""
    with teaching(good) as server:
        parameters = server.parameters(samples_per_seed=4, **more)
        done = run("generate", write_request(folder, "generate", parameters, INPUTS))
    assert (done.code, done.stderr) == (0, "")
    last = [event for event in done.events if event["hubc"] == "progress"][-1]
    assert (last["done"], last["total"]) == (NUM_TASKS, NUM_TASKS)
    return len(server.bodies)


def test_killed_generation_goes_on(tmp_path: Path) -> None:
    assert again(tmp_path / "whole") == NUM_TASKS
    assert killed(tmp_path / "killed", signal.SIGKILL) == 10
    with (tmp_path / "killed" / "out.partial" / "scratch" / "answers-pair.jsonl").open("a") as half:
        half.write('{"key": "0123')
    assert again(tmp_path / "killed") == NUM_TASKS - 10
    whole, resumed = (files(tmp_path / name / "out") for name in ("whole", "killed"))
    assert sorted(resumed) == ["dropped.jsonl", "preview.md", "result.json", "train.jsonl"]
    assert all(resumed[name] == whole[name] for name in resumed if name != "result.json")


def test_stopped_generation_writes_what_it_has(tmp_path: Path) -> None:
    assert killed(tmp_path, signal.SIGTERM) == 12
    assert again(tmp_path) == NUM_TASKS - 12


def test_answers_to_other_questions_are_not_used(tmp_path: Path) -> None:
    assert killed(tmp_path, signal.SIGKILL) == 10
    assert again(tmp_path, seed=7) == NUM_TASKS


def test_requests_that_failed_are_sent_again_and_do_not_count(tmp_path: Path) -> None:
    def failing(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
        return (400, b"no") if "otter" in asked_text(body) else good(server, body, handler)

    with teaching(failing) as server:
        parameters = server.parameters(samples_per_seed=4, min_pairs=100)
        done = run("generate", write_request(tmp_path, "generate", parameters, INPUTS))
    assert done.code == 1
    assert max(event["done"] for event in done.events if event["hubc"] == "progress") == NUM_TASKS - 4
    assert again(tmp_path) == 4


def test_nobody_at_the_address_is_found_out_with_one_request(tmp_path: Path) -> None:
    endpoint = {"url": "http://nobody.invalid/v1", "model": "wise"}
    parameters = {"teacher": {"endpoint": endpoint}, "samples_per_seed": 1000}
    done = run("generate", write_request(tmp_path, "generate", parameters, INPUTS))
    assert done.code == 75
    assert done.error.startswith("the teacher at http://nobody.invalid/v1 cannot be reached: ")
    assert "failed" not in done.messages
