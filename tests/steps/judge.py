"""A judge for tests: an HTTP server on this machine that grades what it is shown, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Grading = Callable[[str], str]
"""Takes the text that the judge is shown, returns what it says."""


class Judge:
    """A running server, and the requests that it has seen."""

    def __init__(self, grading: Grading, status: int = 200) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(grading, status))
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def parameters(self) -> dict[str, Any]:
        """What a suite is told to ask this judge."""
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return {"endpoint": {"url": url, "model": "strict", "parallel_requests": 4}}

    @property
    def shown(self) -> list[str]:
        """The text of every request."""
        return [body["messages"][-1]["content"] for body in self.bodies]

    def _handler(self, grading: Grading, status: int) -> type[BaseHTTPRequestHandler]:
        judge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                judge.bodies.append(body)
                said = {"role": "assistant", "content": grading(body["messages"][-1]["content"])}
                answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "strict",
                          "choices": [{"index": 0, "finish_reason": "stop", "message": said}]}  # fmt: skip
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Retry-After-Ms", "1")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@contextmanager
def judging(grading: Grading, status: int = 200) -> Iterator[Judge]:
    """Serve for as long as the block lasts."""
    judge = Judge(grading, status)
    try:
        yield judge
    finally:
        judge.server.shutdown()
        judge.server.server_close()
