"""Waiting for a server in a container beside the step, which may still be fetching or loading its model, or have ended."""

from __future__ import annotations

import json
import time
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from pydantic import ValidationError

from hub_steps.contract import ExitCode, Record, RetryableError, StepError, message

if TYPE_CHECKING:
    from pathlib import Path

READY_SECONDS = 1800.0
"""Time that a server has to fetch and load its model."""
GONE_SECONDS = 60.0
"""Time without an answer after which a server that answered before has ended."""
POLL_SECONDS = 0.5
TELL_SECONDS = 60.0
"""Time after which it is said again what is being waited for."""
TIMEOUT_SECONDS = 10.0
SILENT = "it does not answer yet"
_OPENER = build_opener(ProxyHandler({}))
"""A proxy of the environment is for the world outside."""


class ServerFault(Record):
    """Why a server beside a step could not start, as it leaves it in a file."""

    code: ExitCode
    text: str


def await_ready(
    url: str, role: str, fault: Path | None = None, limit_seconds: float = READY_SECONDS, gone_seconds: float = GONE_SECONDS
) -> None:
    """Return once the server of a teacher or judge is ready: llama.cpp and vLLM both tell at `/health`.

    `fault` is where the server says why it ended. Raises StepError if it says so, and RetryableError if another attempt may
    help, or if the server is not ready in time or answers no more.
    """
    start = answered_at = time.monotonic()
    told, told_at, has_answered = "", start, False
    while state := _lack(url):
        now = time.monotonic()
        _raise_fault(fault, role)
        if state != SILENT:
            answered_at, has_answered = now, True
        if has_answered and now - answered_at >= gone_seconds:
            raise RetryableError(f"the {role}'s server at {url} has ended: it answered, and has not for {gone_seconds:g} s")
        if now - start >= limit_seconds:
            raise RetryableError(f"the {role}'s server at {url} is not ready after {limit_seconds:g} s: {state}")
        if state != told or now - told_at >= TELL_SECONDS:
            message(f"waiting for the {role}'s server at {url}: {state}")
            told, told_at = state, now
        time.sleep(POLL_SECONDS)


def _raise_fault(path: Path | None, role: str) -> None:
    if path is None or not path.exists():
        return
    try:
        fault = ServerFault.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        raise RetryableError(f"the {role}'s server has ended") from None
    kind = RetryableError if fault.code == ExitCode.RETRY else StepError
    raise kind(f"the {role}'s server has ended: {fault.text}")


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
        return SILENT
