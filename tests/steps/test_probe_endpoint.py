"""Whether teachers and judges answer: what a probe says of good, bad and odd servers."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from answers import Asked, Reply, answering
from teacher import completion, teaching

from hub_steps import exchange
from hub_steps.probe.checks import findings
from hub_steps.probe.request import ProbeRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hub_steps.probe.finding import Finding

KEY = {"secret": "teacher", "key": "token"}
VARIABLE, VALUE = "HUBC_SECRET_TEACHER__TOKEN", "a-value-that-nobody-may-see"
MODELS = {"object": "list", "data": [{"id": "wise"}, {"id": "fast"}]}


def document(url: str, **more: Any) -> dict[str, Any]:
    endpoint = {"role": "teacher", "step": "generate", "url": url, "model": "wise", **more}
    return {"version": "hubc.probe/v1", "storage": [], "endpoints": [endpoint], "targets": []}


def probe(url: str, **more: Any) -> Finding:
    (finding,) = findings(ProbeRequest.model_validate_json(json.dumps(document(url, **more))))
    assert finding.subject == "teacher of step 'generate'"
    assert finding.state == "good" or finding.remedy
    return finding


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "LIMIT_SECONDS", 0.5)
    monkeypatch.setenv(VARIABLE, VALUE)


def run_module(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "hub_steps.probe", "--request", str(path)], capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)  # fmt: skip


def test_a_model_that_is_listed() -> None:
    with answering(lambda _: (200, MODELS, {})) as server:
        finding = probe(f"{server.url}/v1", api_key=KEY)
    assert (finding.state, finding.text) == ("good", f"{server.url}/v1 has the model 'wise'")
    (asked,) = server.seen
    assert (asked.method, asked.path, asked.headers["Authorization"]) == ("GET", "/v1/models", f"Bearer {VALUE}")


def test_a_model_that_answers_without_a_list() -> None:
    with teaching(lambda *_: completion("Hello", "length")) as teacher:
        finding = probe(teacher.url)
    assert (finding.state, finding.text) == ("good", f"'wise' at {teacher.url} answers")
    assert teacher.bodies[0]["max_tokens"] == 1


@pytest.mark.parametrize(
    ("status", "body", "state", "said", "remedy"),
    [
        (401, {"error": {"message": "no such key"}}, "bad", "does not take the key (HTTP 401: no such", f"renew {VARIABLE}"),
        (403, {"message": "not for you"}, "bad", "refuses the model 'wise' to this key", "admitted"),
        (404, {"detail": "none"}, "bad", "knows no model 'wise', or is no base URL", "'/v1'"),
        (400, b"<html>odd\x1b[0m", "bad", "refuses a small request", "mend"),
        (429, {"error": {"message": "slowly"}}, "unknown", "limits requests now", "later"),
        (429, {"error": {"message": "you have no money", "code": "insufficient_quota"}}, "bad", "no quota left", "quota"),
        (500, b"", "bad", "is not fit to answer (HTTP 500)", "log"),
        (503, {"error": "loading"}, "bad", "is not fit to answer (HTTP 503: loading)", "loaded"),
        (200, b"<html>", "bad", "not with a chat completion", "'/v1'"),
        (200, b"[" * 100_000, "bad", "not with a chat completion", "'/v1'"),
        (302, b"", "bad", "redirects to http://other.example.com", "address"),
        (307, b"", "unknown", "redirects to http://other.example.com", "address"),
    ],
)  # fmt: skip
def test_refusals(status: int, body: Any, state: str, said: str, remedy: str) -> None:
    headers = {"Location": "http://other.example.com/chat/completions"} if status in (302, 307) else {}
    with answering(lambda _: (status, body, headers)) as server:
        finding = probe(server.url, api_key=KEY)
    assert finding.state == state
    assert said in finding.text
    assert remedy in finding.remedy


def test_another_model() -> None:
    def behaviour(asked: Asked) -> Reply:
        return (200, MODELS, {}) if asked.method == "GET" else (404, {"error": {"message": "no such model"}}, {})

    with answering(behaviour) as server:
        finding = probe(server.url, model="wiser")
    assert (finding.state, finding.remedy) == ("bad", "write one that it has: 'wise', 'fast'")


def test_a_server_that_wants_a_key() -> None:
    with answering(lambda _: (401, {}, {})) as server:
        assert probe(server.url).remedy == "name it: 'api_key'"


@pytest.mark.parametrize("value", ["", " ", "two\nlines", "käse"])
def test_a_key_that_is_missing_or_odd(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(VARIABLE, value)
    with answering(lambda _: (200, MODELS, {})) as server:
        finding = probe(server.url, api_key=KEY)
    assert finding.state == "bad"
    assert VARIABLE in finding.text
    assert not server.seen


def test_nothing_shows_a_secret_that_a_server_echoes() -> None:
    # So that cutting the text would leave half of it.
    with answering(lambda asked: (400, f"{'x' * 190}{asked.headers['Authorization']}".encode(), {})) as server:
        finding = probe(server.url, api_key=KEY)
    assert VALUE[:6] not in finding.text + finding.line()
    assert "***" in finding.text or finding.text.endswith("Bearer)")


def hang(asked: Asked) -> None:
    threading.Event().wait(2)


def drip(asked: Asked) -> None:
    asked.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        asked.handler.wfile.write(b"x")
        time.sleep(0.05)


def garbage(asked: Asked) -> None:
    asked.handler.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n\xff\xfe" + b"y" * 70_000)


def cut(asked: Asked) -> None:
    asked.handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{")


def silent(asked: Asked) -> None:
    """Close without a word."""


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [(hang, "does not answer within 0.5 s"), (drip, "does not answer within 0.5 s"), (garbage, "does not answer in HTTP"),
     (silent, "cannot be reached")],
)  # fmt: skip
def test_servers_that_misbehave(behaviour: Callable[[Asked], None], said: str) -> None:
    with answering(behaviour) as server:
        finding = probe(server.url)
    assert finding.state == "bad"
    assert said in finding.text


def test_an_answer_that_is_cut_off_or_never_ends() -> None:
    for behaviour in (cut, lambda _: (200, b" " * (exchange.MOST_BYTES * 2), {})):
        with answering(behaviour) as server:
            assert probe(server.url).state == "bad"


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert f"nobody listens at http://127.0.0.1:{port}" in probe(f"http://127.0.0.1:{port}/v1").text
    assert "is not known to the name server" in probe("http://teacher.invalid/v1").text
    assert probe("http://127.0.0.1:999999/v1").state == "bad"


def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key", "-out", "cert", "-days", "2",
               "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with answering(lambda _: (200, MODELS, {})) as server:
        assert "speaks no TLS" in probe(f"https://{server.host}/v1").text
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        url = f"https://localhost:{server.http.server_port}/v1"
        distrusted = probe(url)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
        assert probe(url).state == "good"
    assert "is not trusted: self-signed certificate" in distrusted.text
    assert "SSL_CERT_FILE" in distrusted.remedy


def test_the_program(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    with answering(lambda asked: (401, {"error": asked.headers["Authorization"]}, {})) as server:
        request.write_text(json.dumps(document(server.url, api_key=KEY)))
        done = run_module(request)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert json.loads(line).keys() == {"subject", "state", "text", "remedy"}
    assert json.loads(line)["state"] == "bad"
    assert VALUE not in done.stdout


@pytest.mark.parametrize("text", ["", "{}x", '{"version": "hubc.probe/v2"}', '{"storage": "s3://x"}', '{"secrets": []}'])
def test_bad_requests(tmp_path: Path, text: str) -> None:
    request = tmp_path / "request.json"
    request.write_text(text)
    done = run_module(request)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: bad request: ")
    assert "Traceback" not in done.stderr
