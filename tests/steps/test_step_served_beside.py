"""A teacher or judge in a container of its own beside the step: the program that serves it, and the step that waits."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from animals import LEAF, NAME, good_reply
from openai import OpenAI
from steprun import finish, result, rows, run, write_request
from teacher import Answer, Teacher, asked_text, completion, teaching
from test_step_generate_served import LOCATION, PARAMETERS

from hub_steps import storage
from hub_steps.contract import ExitCode, RetryableError, StepError
from hub_steps.generate.readiness import ServerFault, await_ready, known_as
from hub_steps.serve import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INPUTS = {"taxonomy": {"key": "7" * 64, "documents": {NAME: LEAF}}}
UNREACHABLE = "http://127.0.0.1:9"
SERVED = {"serve": {"location": "file:///not/on/this/machine/wise.gguf", "parallel_requests": 2}}


def good(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
    return completion(good_reply(asked_text(body)))


def base(server: Teacher) -> str:
    return server.url.removesuffix("/v1")


@contextmanager
def serving(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Serve as the container does."""
    command = [sys.executable, "-m", "hub_steps.serve", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def test_step_waits_for_the_server_beside_it(tmp_path: Path) -> None:
    request = write_request(tmp_path, "generate", {"teacher": SERVED, "samples_per_seed": 1}, INPUTS)
    with teaching(good) as server:
        server.health = [503]
        done = run("generate", request, HUBC_SERVED_TEACHER=base(server), http_proxy="http://127.0.0.1:9", NO_PROXY="")
        assert {body["model"] for body in server.bodies} == {"wise"}
    assert (done.code, done.stderr) == (0, "")
    assert f"waiting for the teacher's server at {base(server)}: it is loading its model" in done.messages
    assert "serving" not in done.messages
    assert len(rows(tmp_path / "out" / "train.jsonl")) == 5


def test_judge_beside_the_step(tmp_path: Path) -> None:
    with teaching(good) as teacher, teaching(lambda *_: completion("Score: 5")) as judge:
        parameters = teacher.parameters(judge={**SERVED, "min_score": 4})
        done = run("generate", write_request(tmp_path, "generate", parameters, INPUTS), HUBC_SERVED_JUDGE=base(judge))
        assert len(judge.bodies) == 5
    assert done.code == 0, done.stderr
    assert result(tmp_path / "out")["metrics"]["kept"] == 5


def test_endpoint_is_asked_all_the_same(tmp_path: Path) -> None:
    with teaching(good) as server:
        request = write_request(tmp_path, "generate", server.parameters(), INPUTS)
        assert run("generate", request, HUBC_SERVED_TEACHER="http://127.0.0.1:9").code == 0


def test_never_ready() -> None:
    with teaching(good) as server:
        server.health = [503] * 99
        with pytest.raises(RetryableError, match=r"judge's server at .* not ready after 0.2 s: it is loading its model"):
            await_ready(base(server), "judge", limit_seconds=0.2)
        server.health = [404] * 99
        with pytest.raises(RetryableError, match=r"it answers 404"):
            await_ready(base(server), "judge", limit_seconds=0.2)


def test_nobody_there_yet() -> None:
    program = "import sys; from hub_steps.generate.readiness import await_ready; await_ready(sys.argv[1], 'teacher')"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        command = [sys.executable, "-c", program, f"http://127.0.0.1:{port}"]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert waiting.stdout
        assert json.loads(waiting.stdout.readline())["text"].endswith("it does not answer yet")
    server = Teacher(good, port)
    try:
        assert finish(waiting).code == 0
    finally:
        server.close()


def test_server_that_has_ended() -> None:
    with teaching(good) as server:
        server.health = [503]
        threading.Timer(0.2, server.close).start()
        with pytest.raises(RetryableError, match=r"judge's server at .* has ended: it answered, and has not for 0.3 s"):
            await_ready(base(server), "judge", gone_seconds=0.3)


@pytest.mark.parametrize(("code", "kind"), [(ExitCode.FAILED, StepError), (ExitCode.RETRY, RetryableError)])
def test_server_that_says_why_it_ended(tmp_path: Path, code: ExitCode, kind: type[StepError]) -> None:
    fault = tmp_path / "teacher.fault"
    fault.write_text(ServerFault(code=code, text="no weights").model_dump_json())
    with pytest.raises(StepError, match="the teacher's server has ended: no weights") as raised:
        await_ready(UNREACHABLE, "teacher", fault)
    assert type(raised.value) is kind
    fault.write_text("{")
    with pytest.raises(RetryableError, match="the teacher's server has ended"):
        await_ready(UNREACHABLE, "teacher", fault)


def test_nobody_ever_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(RetryableError, match="it does not answer yet"):
            await_ready(f"http://127.0.0.1:{taken.getsockname()[1]}", "teacher", limit_seconds=0.0)


def test_server_that_lists_no_models() -> None:
    with teaching(good) as server:
        assert known_as(base(server), "wise") == "wise"
        assert known_as(f"{base(server)}/elsewhere", "wise") == "wise"


def test_real_server(tmp_path: Path) -> None:
    request = write_request(tmp_path, "generate", PARAMETERS, INPUTS)
    with serving("--request", request.as_uri(), "--role", "teacher", "--port", "0") as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        text = next(text for line in lines if (text := json.loads(line)["text"]).startswith("serving "))
        url = text.rpartition(" ")[2]
        await_ready(url, "teacher")
        name = known_as(url, "other")
        assert name == "SmolLM2-135M-Instruct.Q4_1"
        with OpenAI(base_url=f"{url}/v1", api_key="none") as client:
            asked = client.chat.completions.create(model=name, messages=[{"role": "user", "content": "Hi"}], max_tokens=4)
        assert asked.choices[0].message.content
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 0


def test_fetch_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = write_request(tmp_path, "generate", PARAMETERS, INPUTS)
    link = tmp_path / "served" / "teacher.gguf"
    for _ in range(2):
        assert main(["--request", str(request), "--role", "teacher", "--fetch-only", "--link", str(link)]) == 0
    fetched = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert str(link.resolve()) == fetched["path"]
    assert fetched["path"].endswith(LOCATION.partition("#")[0].rpartition("/")[2])


def test_request_in_an_object_store(tmp_path: Path, bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage.write_text(
        f"{bucket}/generate.request.json", write_request(tmp_path, "generate", PARAMETERS, INPUTS).read_text()
    )
    assert main(["--request", f"{bucket}/generate.request.json", "--role", "teacher", "--fetch-only"]) == 0
    assert '"hubc": "fetched"' in capsys.readouterr().out
    assert main(["--request", f"{bucket}/none.json", "--role", "teacher", "--fetch-only"]) == 75


def test_what_cannot_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no weights")
    parameters = PARAMETERS | {"teacher": {"serve": {"location": broken.as_uri()}}}
    request = write_request(tmp_path, "generate", parameters, INPUTS)
    cases = {
        ("--request", str(request), "--role", "judge", "--port", "0"): (2, "step 'generate' has no judge to serve"),
        ("--request", str(tmp_path / "none.json"), "--role", "judge", "--port", "0"): (75, "cannot read the request"),
        ("--request", str(broken), "--role", "judge", "--port", "0"): (2, "bad request: "),
    }
    for words, (code, said) in cases.items():
        assert main(words) == code
        assert said in capsys.readouterr().err
    fault = tmp_path / "served" / "teacher.fault"
    with serving("--request", str(request), "--role", "teacher", "--port", "0", "--fault", str(fault)) as process:
        done = finish(process)
    assert done.code == 1
    assert "error: llama.cpp cannot serve broken.gguf" in done.stderr
    assert main(["--request", str(request), "--role", "judge", "--port", "0", "--fault", str(fault / "below")]) == 2
    assert "the step is not told" in capsys.readouterr().err
    waited = run("generate", request, HUBC_SERVED_TEACHER=UNREACHABLE, HUBC_SERVED_TEACHER_FAULT=str(fault))
    assert waited.code == 1
    assert "the teacher's server has ended: llama.cpp cannot serve broken.gguf" in waited.stderr
