"""One HTTP request and its answer, within a time and a size whatever the server does; no redirection is followed."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPErrorProcessor, HTTPSHandler, Request, build_opener

from hub_steps.contract import redact
from hub_steps.credentials import mask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from http.client import HTTPResponse

LIMIT_SECONDS = 10.0
MOST_BYTES = 1 << 20
"""More than any answer that is waited for here; what follows is not read."""
MAX_SAID = 200
REDIRECTIONS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Answer:
    """What a server said; names of headers are in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as data, or None if it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def said(self) -> str:
        """The status, and in a few words what the server says about it."""
        return f"HTTP {self.status}" + (f": {text}" if (text := _words(self)) else "")


class NoAnswerError(Exception):
    """A server that does not answer, or with something other than HTTP."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(text)
        self.text, self.remedy = text, remedy


class _AsTheyAre(HTTPErrorProcessor):
    """Every status is an answer; a redirection would carry the authorization to a place that nobody named."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:
        return response

    https_response = http_response


def ask(method: str, url: str, headers: Mapping[str, str] | None = None, content: Any = None) -> Answer:
    """Send a request, with `content` as JSON if there is any, through the proxies of the environment.

    Raises NoAnswerError if there is no answer in time.
    """
    body = None if content is None else json.dumps(content).encode()
    told = {"User-Agent": "hubc-probe", **(headers or {})}
    if body is not None:
        told["Content-Type"] = "application/json"
    deadline = time.monotonic() + LIMIT_SECONDS
    try:
        # Whoever calls this has an http or https URL.
        request = Request(url, body, told, method=method)  # noqa: S310
        context = _context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
        with build_opener(_AsTheyAre, HTTPSHandler(context=context)).open(request, timeout=LIMIT_SECONDS) as answer:
            fields = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(url, answer.status, fields, b"" if method == "HEAD" else _body(answer, deadline))
    except (OSError, HTTPException, ValueError, OverflowError) as error:
        raise _no_answer(url, error.reason if isinstance(error, URLError) else error) from None


def _body(answer: HTTPResponse, deadline: float) -> bytes:
    parts, size = [], 0
    while size < MOST_BYTES and (part := answer.read1(1 << 16)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise TimeoutError
    return b"".join(parts)[:MOST_BYTES]


@lru_cache(maxsize=4)
def _context(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Return what servers are trusted by: SSL_CERT_FILE, or else the authorities that the clients of the steps bring."""
    if not file and not folder and find_spec("certifi"):
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    return ssl.create_default_context()


def _no_answer(url: str, error: object) -> NoAnswerError:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc}"
    match error:
        case socket.gaierror():
            return NoAnswerError(
                f"the host of {where} is not known to the name server", "mend the address, or the name server"
            )
        case ssl.SSLCertVerificationError():
            return NoAnswerError(f"the certificate of {where} is not trusted: {error.verify_message}",
                                 "name a file with the server's authority: SSL_CERT_FILE, on a cluster "
                                 "'certificate_authorities'")  # fmt: skip
        case ssl.SSLError():
            return NoAnswerError(f"{where} speaks no TLS that is understood here: {error.reason or error}",
                                 "mend the server's TLS, or write http:// if it has none")  # fmt: skip
        case TimeoutError():
            return NoAnswerError(
                f"{where} does not answer within {LIMIT_SECONDS:g} s", "see whether it is up, and may be reached"
            )
        case ConnectionRefusedError():
            return NoAnswerError(f"nobody listens at {where}", "start the server, or mend the address")
        case OSError():
            return NoAnswerError(f"{where} cannot be reached: {error.strerror or error}", "see whether it may be reached")
        case _:
            reason = str(error) or type(error).__name__
            return NoAnswerError(f"{where} does not answer in HTTP: {_short(reason)}", "mend the address")


def _words(answer: Answer) -> str:
    """Return a server's own message, as the common interfaces write it, or the start of the body."""
    data = answer.json()
    for _ in range(2):
        if isinstance(data, dict):
            data = next((data[name] for name in ("error", "message", "detail") if data.get(name)), None)
    return _short(data if isinstance(data, str) else answer.body.decode(errors="replace"))


def _short(text: str) -> str:
    """Return the start of a text on one line; secrets that a server echoes go first, so that no half of one is left."""
    return " ".join(mask(redact(text)).split())[:MAX_SAID]
