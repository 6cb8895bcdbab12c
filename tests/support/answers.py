"""A server that answers each request as it is told, or does what servers should not do."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = tuple[int, Any, dict[str, str]]
"""Status, content (data for JSON, or bytes as they are) and headers."""
Behaviour = Callable[["Asked"], Reply | None]


class Asked:
    """One request; `handler` is for behaviours that answer by themselves, and return None."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.method, self.path, self.headers, self.handler = handler.command, handler.path, handler.headers, handler
        self.body = handler.rfile.read(int(handler.headers["Content-Length"] or 0))


class Server:
    """A running server and the requests that it has seen."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.seen: list[Asked] = []
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            # Clients of object stores first ask whether they may send a body.
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                asked = Asked(self)
                server.seen.append(asked)
                self.close_connection = True
                reply = behaviour(asked)
                if reply is None:
                    return
                status, content, headers = reply
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(data)), "Connection": "close", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_HEAD = _serve

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Clients may go away in the middle."""

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"
        self.url = f"http://{self.host}"


@contextmanager
def answering(behaviour: Behaviour) -> Iterator[Server]:
    """Serve for as long as the block lasts."""
    server = Server(behaviour)
    threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.closing.set()
        server.http.shutdown()
        server.http.server_close()
