"""A teacher for tests: an HTTP server on this machine that speaks the OpenAI chat completions interface, or fails to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]
Behaviour = Callable[["Teacher", dict[str, Any], BaseHTTPRequestHandler], Answer | None]
"""Takes a request's body; returns status and body, or None after it dealt with the connection itself."""


class QuietServer(ThreadingHTTPServer):
    """A server that is not interested in clients that go away in the middle."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Teacher:
    """A running server and what it has seen."""

    def __init__(self, behaviour: Behaviour, port: int = 0) -> None:
        self.behaviour = behaviour
        self.health: list[int] = []
        """What it answers at /health, one after the other; after that it is ready."""
        self.bodies: list[dict[str, Any]] = []
        self.authorizations: set[str] = set()
        self.seen = threading.Event()
        self.closing = threading.Event()
        self.lock = threading.Condition()
        self.server = QuietServer(("127.0.0.1", port), self._handler())
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def parameters(self, **more: Any) -> dict[str, Any]:
        """Return the parameters of a generate step that asks this teacher."""
        endpoint = {"url": self.url, "model": "wise", "parallel_requests": 8, **more.pop("endpoint", {})}
        return {"teacher": {"endpoint": endpoint}, "samples_per_seed": 1, **more}

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        teacher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = b'{"object": "list", "data": []}'
                if self.path == "/health":
                    status = teacher.health.pop(0) if teacher.health else 200
                else:
                    status = 200 if self.path == "/v1/models" else 404
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with teacher.lock:
                    teacher.bodies.append({"path": self.path, **body})
                    teacher.authorizations.add(self.headers["Authorization"])
                teacher.seen.set()
                answer = teacher.behaviour(teacher, body, self)
                if answer is None:
                    self.close_connection = True
                    return
                status, content = answer
                self.send_response(status)
                self.send_header(
                    "Content-Type", "application/json" if content[:1] in (b"{", b"[", b"n", b"") else "text/html"
                )
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Retry-After-Ms", "1")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextmanager
def teaching(behaviour: Behaviour) -> Iterator[Teacher]:
    """Serve for as long as the block lasts."""
    teacher = Teacher(behaviour)
    try:
        yield teacher
    finally:
        teacher.close()


def completion(text: str | None, finish_reason: str = "stop") -> Answer:
    """Return a whole answer of the interface."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    return 200, json.dumps(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "wise", "choices": [choice]}
    ).encode()


def asked_text(body: dict[str, Any]) -> str:
    """Return the text that a request asks about."""
    text: str = body["messages"][-1]["content"]
    return text.removeprefix("Text: ")


def silent(teacher: Teacher, body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Keep the connection open and never answer."""
    teacher.closing.wait(120)


def reset(teacher: Teacher, body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Cut the connection off hard."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def truncated(teacher: Teacher, body: dict[str, Any], handler: BaseHTTPRequestHandler) -> None:
    """Promise more bytes than come."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
