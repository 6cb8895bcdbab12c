"""What all steps share: read the request, skip finished work, run, and turn every failure into one message."""

from __future__ import annotations

import os
import signal
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps import storage
from hub_steps.contract import (
    PARAMETERS,
    RUN,
    STOP_ON_EOF,
    BadRequestError,
    ExitCode,
    Request,
    RetryableError,
    StepError,
    faults,
    is_volatile,
    message,
)
from hub_steps.endings import Ending, ending, tell
from hub_steps.record import StepRecord
from hub_steps.workspace import Workspace

if TYPE_CHECKING:
    from hub_steps.parameters import Declared


def run(kind: str, source: str) -> ExitCode:
    """Run the step that a request describes and return how it ended; failures are told on standard error."""
    found: list[tuple[Request, Any]] = []
    ended = ending(lambda: found.append(_read(kind, source)), source)
    if not found:
        tell(ended.error)
        return ended.code
    request, parameters = found[0]
    if os.environ.get(STOP_ON_EOF):
        threading.Thread(target=_stop_on_eof, daemon=True).start()
    if request.record is None:
        return _told(request, parameters).code
    record = StepRecord(request.record, request.step, int(os.environ.get("PET_NODE_RANK") or 0))
    with record.logged():
        ended = _told(request, parameters)
    if ended.error is not None:
        record.fail(ended)
    return ended.code


def read_request(kind: str, source: str) -> tuple[Request, Any]:
    """Return the request from a file, a `file://` or `s3://` URI or, as `env:NAME`, a variable; its parameters checked.

    Raises OSError or ValueError if there is none, or if it is not a request for this kind of step, and StepError if the
    storage does not give it.
    """
    try:
        request = Request.model_validate_json(_text(source))
        parameters: Declared = PARAMETERS[request.kind].model_validate(request.parameters)
    except ValidationError as error:
        raise ValueError(faults(error)) from None
    if request.kind != kind:
        raise ValueError(f"it asks for '{request.kind}', not '{kind}'")
    if name := os.environ.get(RUN):
        request = request.model_copy(update={"identity": request.identity.model_copy(update={"run": name})})
    return request, parameters


def _text(source: str) -> str:
    if source.startswith("env:"):
        return _from_variable(source[4:])
    return storage.read_text(source) if "://" in source else Path(source).read_text(encoding="utf-8")


def _from_variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ValueError(f"the variable {name} is not set") from None


def _read(kind: str, source: str) -> tuple[Request, Any]:
    try:
        return read_request(kind, source)
    except RetryableError:
        raise
    except (OSError, ValueError, StepError) as error:
        raise BadRequestError(f"bad request: {error}") from None


def _told(request: Request, parameters: Declared) -> Ending:
    ended = ending(lambda: _work(request, parameters), request.output)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    tell(ended.error)
    return ended


def _work(request: Request, parameters: Declared) -> None:
    workspace = Workspace(request)
    if workspace.is_done() and not is_volatile(request.kind, request.parameters):
        message("already done: the output has its completion marker")
        return
    has_ended = False
    try:
        workspace.open()
        outcome = import_module(f"hub_steps.{request.kind}.step").main(workspace, parameters)
        if outcome:
            workspace.commit(outcome)
        has_ended = True
    finally:
        workspace.close(has_ended=has_ended)


def _stop_on_eof() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
