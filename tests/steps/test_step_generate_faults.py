"""Teachers that fail: every one ends the step with one message, the right exit code and no output."""

from __future__ import annotations

import itertools
import json
import re
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import Done, finish, rows, run, start, write_request
from teacher import Answer, Behaviour, Teacher, asked_text, completion, reset, silent, teaching, truncated

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = {"taxonomy": animals.TAXONOMY}


def always(status: int, body: bytes) -> Behaviour:
    return lambda server, asked, handler: (status, body)


NO_COMPLETION = r"failed 3 of 5 requests; the last: not a chat completion \(\w+\)$"
FAULTS: dict[str, tuple[Behaviour, int, str]] = {
    "500": (always(500, b'{"error": "out of order"}'), 75, "failed 3 of 5 requests; the last: HTTP 500: .*out of order"),
    "429": (always(429, b"slow down"), 75, "failed 3 of 5 requests; the last: HTTP 429: .*slow down"),
    "400": (always(400, b"context too long\n" * 1000), 75, "failed 3 of 5 requests; the last: HTTP 400: .{0,200}$"),
    "401": (always(401, b'{"error": "who are you?"}'), 1, "refuses: .*who are you"),
    "403": (always(403, b"<html>\n<h1>forbidden</h1>\n" + b"\n" * 9000), 1, "refuses: .*forbidden"),
    "404": (always(404, b'{"error": "no model wise"}'), 1, "refuses: .*no model wise"),
    "html": (always(200, b"<html>\nplease log in\n</html>"), 75, NO_COMPLETION),
    "no-choices": (always(200, b"{}"), 75, NO_COMPLETION),
    "empty-choices": (always(200, b'{"choices": []}'), 75, NO_COMPLETION),
    "odd-choices": (always(200, b'{"choices": [null, 3]}'), 75, NO_COMPLETION),
    "list": (always(200, b"[1, 2]"), 75, NO_COMPLETION),
    "null": (always(200, b"null"), 75, NO_COMPLETION),
    "half-json": (always(200, b'{"choices": [{"mess'), 75, NO_COMPLETION),
    "deep-json": (always(200, b"[" * 200_000), 75, NO_COMPLETION),
    "empty-body": (always(200, b""), 75, NO_COMPLETION),
    "truncated": (truncated, 75, "failed 3 of 5 requests; the last: .*(peer closed|incomplete)"),
    "reset": (reset, 75, "failed 3 of 5 requests; the last: .*(reset|disconnected|closed)"),
    "silent": (silent, 75, "failed 3 of 5 requests; the last: .*timed out"),
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Done, Path]]:
    """One step for every fault, all at once: most of their time is waiting between retries."""
    with ExitStack() as stack:
        running = {}
        for name, (behaviour, _, _) in FAULTS.items():
            server = stack.enter_context(teaching(behaviour))
            folder = tmp_path_factory.mktemp(name)
            parameters = server.parameters(request_timeout_seconds=0.3 if name == "silent" else 60.0)
            running[name] = (start("generate", write_request(folder, "generate", parameters, INPUTS)), folder)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            endpoint = {"url": f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "model": "wise"}
            parameters = {"teacher": {"endpoint": endpoint}, "samples_per_seed": 1}
            folder = tmp_path_factory.mktemp("refused")
            running["refused"] = (start("generate", write_request(folder, "generate", parameters, INPUTS)), folder)
            return {name: (finish(process), folder) for name, (process, folder) in running.items()}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(name: str, ended: dict[str, tuple[Done, Path]]) -> None:
    done, folder = ended[name]
    _, code, wanted = FAULTS[name]
    assert done.code == code, done.stderr
    assert re.match(rf"the teacher at http://127\.0\.0\.1:\d+/v1/? {wanted}", done.error), done.error
    assert len(done.error) < 400
    assert done.stderr.count("\n") == 1
    assert not (folder / "out").exists()
    assert all(event["hubc"] for event in done.events)


def test_nobody_listens(ended: dict[str, tuple[Done, Path]]) -> None:
    done, folder = ended["refused"]
    assert done.code == 75
    assert "Connection refused" in done.error
    assert not (folder / "out").exists()


def test_faults_that_pass_are_tried_again(tmp_path: Path) -> None:
    count = itertools.count()
    passing: list[Answer | Behaviour] = [(500, b"{}"), (503, b"busy"), (429, b"slow down"), reset]

    def behaviour(server: Teacher, body: dict[str, Any], handler: Any) -> Answer | None:
        number = next(count)
        if number < len(passing):
            fault = passing[number]
            return fault if isinstance(fault, tuple) else fault(server, body, handler)
        return completion(animals.good_reply(asked_text(body)))

    with teaching(behaviour) as server:
        done = run("generate", write_request(tmp_path, "generate", server.parameters(), INPUTS))
    assert (done.code, done.stderr) == (0, "")
    assert len(server.bodies) == 5 + len(passing)
    assert len(rows(tmp_path / "out" / "train.jsonl")) == 5


def test_teacher_that_is_down_is_given_up_soon(tmp_path: Path) -> None:
    with teaching(always(500, b"{}")) as server:
        parameters = server.parameters(samples_per_seed=200)
        done = run("generate", write_request(tmp_path, "generate", parameters, INPUTS))
        assert (done.code, len(server.bodies) < 200) == (75, True)
    assert "failed 20 of 1000 requests" in done.error


def test_less_than_half_of_the_requests_may_fail(tmp_path: Path) -> None:
    def behaviour(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
        text = asked_text(body)
        return (
            (500, json.dumps({"error": text}).encode())
            if "otter" in text or "bee" in text
            else completion(animals.good_reply(text))
        )

    with teaching(behaviour) as server:
        done = run("generate", write_request(tmp_path, "generate", server.parameters(), INPUTS))
    assert done.code == 0
    assert done.messages.count("the teacher failed a request: HTTP 500: ") == 1
    assert [row["reason"] for row in rows(tmp_path / "out" / "dropped.jsonl")] == ["teacher_error"] * 2
