"""A stand-in for GitHub's REST API that keeps state: commit statuses and comments in issues, by page; and its faults."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "c" * 40
PULL_REQUEST = 7
TOKENS = {"t-hubc": ("hubc-bot", "User"), "t-app": ("github-actions[bot]", "Bot"), "t-reader": ("reader", "User")}
STATES = {"error", "failure", "pending", "success"}
MAX_COMMENT = 65536


@dataclass
class Trouble:
    """What goes wrong with the next requests that match."""

    request: str
    """Regular expression over method and path, as in `POST .*/comments`."""
    status: int = 500
    message: str = "Server Error"
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    cuts: bool = False
    """The request is done, but the connection is reset instead of an answer."""


class Answer(Exception):  # noqa: N818 - it ends a request early, whether that is an error or not
    """An answer other than success."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


class GitHubStandIn:
    """The repository `team/specs` with one commit and one pull request."""

    def __init__(self) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.trouble: list[Trouble] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v3"

    def add_comment(self, body: str, login: str = "someone", kind: str = "User") -> dict[str, Any]:
        """Add a comment as somebody writes it in the browser."""
        number = len(self.comments) + 1
        url = f"{self.url}/repos/team/specs/issues/comments/{number}"
        made = {"id": number, "url": url, "body": body, "user": {"login": login, "type": kind, "id": 1, "url": self.url}}
        self.comments.append(made)
        return made

    def own(self, login: str = "hubc-bot") -> list[str]:
        """Return the comments of one user."""
        return [comment["body"] for comment in self.comments if comment["user"]["login"] == login]

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        """Return status, content and headers of the answer to a request."""
        path, query = urlsplit(target).path.removeprefix("/api/v3"), parse_qs(urlsplit(target).query)
        login, kind = TOKENS.get(token, (None, ""))
        if login is None:
            raise Answer(401, "Bad credentials")
        match method, path.split("/")[1:]:
            case "GET", ["user"]:
                if kind == "Bot":
                    raise Answer(403, "Resource not accessible by integration")
                return 200, {"login": login, "type": kind, "id": 1, "url": f"{self.url}/user"}, {}
            case "POST", ["repos", "team", "specs", "statuses", sha]:
                return self._add_status(login, sha, body)
            case _, ["repos", "team", "specs", "issues", "comments", number] if method == "PATCH":
                return self._edit(login, int(number), body)
            case _, ["repos", "team", "specs", "issues", number, "comments"] if int(number) == PULL_REQUEST:
                if method == "GET":
                    return self._page(path, query)
                _may_write(login)
                return 201, self.add_comment(_comment_body(body), login, kind), {}
        raise Answer(404, "Not Found")

    def _add_status(self, login: str, sha: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        _may_write(login)
        if sha != COMMIT:
            raise Answer(422, f"No commit found for SHA: {sha}")
        if body.get("state") not in STATES or len(body.get("description", "")) > 140:
            raise Answer(422, "Validation Failed")
        self.statuses.append(body)
        return 201, {**body, "id": len(self.statuses), "url": f"{self.url}/statuses/1"}, {}

    def _edit(self, login: str, number: int, body: Any) -> tuple[int, Any, dict[str, str]]:
        _may_write(login)
        comment = next((comment for comment in self.comments if comment["id"] == number), None)
        if comment is None:
            raise Answer(404, "Not Found")
        comment["body"] = _comment_body(body)
        return 200, comment, {}

    def _page(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        headers = {}
        if page * size < len(self.comments):
            headers["Link"] = f'<{self.url}{path}?per_page={size}&page={page + 1}>; rel="next"'
        return 200, self.comments[(page - 1) * size : page * size], headers

    def next_trouble(self, method: str, target: str) -> Trouble | None:
        """Return what goes wrong with a request, and take note that it did."""
        for trouble in self.trouble:
            if trouble.times and re.search(trouble.request, f"{method} {target}"):
                trouble.times -= 1
                return trouble
        return None


def _may_write(login: str) -> None:
    if login == "reader":
        raise Answer(403, "Resource not accessible by personal access token")


def _comment_body(body: Any) -> str:
    text = body["body"]
    if not isinstance(text, str) or not 0 < len(text) <= MAX_COMMENT:
        raise Answer(422, "Validation Failed")
    return text


def _handler(github: GitHubStandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            size = int(self.headers["Content-Length"] or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            token = (self.headers["Authorization"] or "").partition(" ")[2]
            with github.lock:
                github.requests.append(f"{self.command} {urlsplit(self.path).path}")
                trouble = github.next_trouble(self.command, self.path)
                try:
                    if trouble and not trouble.cuts:
                        raise Answer(trouble.status, trouble.message, trouble.headers)
                    status, content, headers = github.answer(self.command, self.path, token, body)
                except Answer as answer:
                    status, content, headers = answer.status, {"message": answer.message}, answer.headers
            if trouble and trouble.cuts:
                self._reset()
            else:
                self._send(status, json.dumps(content).encode(), headers)

        do_GET = do_POST = do_PATCH = _serve

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _reset(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


@contextmanager
def github() -> Iterator[GitHubStandIn]:
    """Serve for as long as the block lasts."""
    stand_in = GitHubStandIn()
    stand_in.server.daemon_threads = True
    threading.Thread(target=stand_in.server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield stand_in
    finally:
        stand_in.server.shutdown()
        stand_in.server.server_close()
