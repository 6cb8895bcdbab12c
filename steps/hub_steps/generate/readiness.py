"""Waiting for a server in a container beside the step, which may still be fetching or loading its model."""

from __future__ import annotations

import json
import time
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from hub_steps.contract import RetryableError, message

READY_SECONDS = 1800.0
"""Time that a server has to fetch and load its model."""
POLL_SECONDS = 0.5
TELL_SECONDS = 60.0
"""Time after which it is said again what is being waited for."""
TIMEOUT_SECONDS = 10.0
_OPENER = build_opener(ProxyHandler({}))
"""A proxy of the environment is for the world outside."""


def await_ready(url: str, role: str, limit_seconds: float = READY_SECONDS) -> None:
    """Return once the server of a teacher or judge is ready: llama.cpp and vLLM both tell at `/health`.

    Raises RetryableError if it is not in time.
    """
    start = time.monotonic()
    told, told_at = "", start
    while state := _lack(url):
        now = time.monotonic()
        if now - start >= limit_seconds:
            raise RetryableError(f"the {role}'s server at {url} is not ready after {limit_seconds:g} s: {state}")
        if state != told or now - told_at >= TELL_SECONDS:
            message(f"waiting for the {role}'s server at {url}: {state}")
            told, told_at = state, now
        time.sleep(POLL_SECONDS)


def known_as(url: str, name: str) -> str:
    """Return `name`, or the name under which the server knows its only model, as vLLM does by path."""
    try:
        with _OPENER.open(f"{url}/v1/models", timeout=TIMEOUT_SECONDS) as answer:
            names = [str(model["id"]) for model in json.loads(answer.read())["data"]]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        # Not every server lists its models.
        return name
    return names[0] if len(names) == 1 else name


def _lack(url: str) -> str:
    """Return why a server is not ready, or nothing."""
    try:
        # The URL is the backend's, not the spec's.
        with _OPENER.open(f"{url}/health", timeout=TIMEOUT_SECONDS):
            return ""
    except HTTPError as error:
        with error:
            return "it is loading its model" if error.code == 503 else f"it answers {error.code}"
    except (OSError, HTTPException):
        return "it does not answer yet"
