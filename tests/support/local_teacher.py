"""A teacher that is a real server: the chat-completions API over HTTP, with answers and faults as a test wants them."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Teacher(ThreadingHTTPServer):
    """Answers with two sentences of the context that it is asked about, others each time: one may be a held-out answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, str]] = []
        """The headers of every request, by their names in lower case."""
        self.status = 200
        self.error = "the teacher is out of order"
        self.answering = threading.Event()
        """Cleared, the teacher takes requests and answers none."""
        self.answering.set()
        self.prompt_answers = 0
        """How many requests are answered even so."""
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def close(self) -> None:
        self.answering.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that were killed."""

    def reply(self, body: dict[str, Any]) -> str:
        text = body["messages"][-1]["content"].removeprefix("Text: ")
        sentences = re.split(r"(?<=[.!?])\s+", text)
        with self.lock:
            number = self.asked[text]
            self.asked[text] += 1
        sentence, next_one = (sentences[place % len(sentences)] for place in (number, number + 1))
        return f"Question: What is known about {' '.join(sentence.lower().split()[:6])}?\nAnswer: {sentence} {next_one}"


class _Handler(BaseHTTPRequestHandler):
    server: Teacher

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append({name.lower(): value for name, value in self.headers.items()})
            is_prompt = len(self.server.requests) <= self.server.prompt_answers
        if not is_prompt:
            self.server.answering.wait()
        if self.server.status != 200:
            self._send(self.server.status, {"error": {"message": self.server.error}})
            return
        message = {"role": "assistant", "content": self.server.reply(body)}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        self._send(200, {"id": "1", "object": "chat.completion", "created": 0, "model": "t", "choices": [choice]})

    def _send(self, status: int, data: dict[str, Any]) -> None:
        text = json.dumps(data).encode()
        with suppress(OSError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            # The client would wait and try again by itself: here, only hubc's own second attempts count.
            self.send_header("x-should-retry", "false")
            self.end_headers()
            self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""
