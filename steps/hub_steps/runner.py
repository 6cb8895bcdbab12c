"""What all steps share: read the request, skip finished work, run, and turn every failure into one message."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from hub_steps.contract import (
    PARAMETERS,
    STOP_ON_EOF,
    ExitCode,
    Request,
    RetryableError,
    StepError,
    StoppedError,
    faults,
    is_volatile,
    message,
    redact,
)
from hub_steps.files import is_disk_full
from hub_steps.workspace import Workspace

if TYPE_CHECKING:
    from hub_steps.parameters import Declared


def run(kind: str, source: str) -> ExitCode:
    """Run the step that a request describes and return how it ended; failures are told on standard error."""
    try:
        request, parameters = read_request(kind, source)
    except (OSError, ValueError) as error:
        _complain(f"bad request: {error}")
        return ExitCode.BAD_REQUEST
    signal.signal(signal.SIGTERM, _stop)
    if os.environ.get(STOP_ON_EOF):
        threading.Thread(target=_stop_on_eof, daemon=True).start()
    try:
        _work(request, parameters)
    except StoppedError:
        _complain("stopped as asked")
        return ExitCode.STOPPED
    except StepError as error:
        _complain(str(error))
        return error.exit_code
    except Exception as error:
        if not is_disk_full(error):
            return _unexpected(error)
        place = getattr(error, "filename", None) or request.output
        _complain(f"no space left on the device that holds {place}: free some, then run again")
        return ExitCode.RETRY
    return ExitCode.DONE


def read_request(kind: str, source: str) -> tuple[Request, Any]:
    """Return the request from a file or, as `env:NAME`, from a variable, with its parameters checked.

    Raises OSError or ValueError if there is none, or if it is not a request for this kind of step.
    """
    text = _from_variable(source[4:]) if source.startswith("env:") else Path(source).read_text(encoding="utf-8")
    try:
        request = Request.model_validate_json(text)
        parameters: Declared = PARAMETERS[request.kind].model_validate(request.parameters)
    except ValidationError as error:
        raise ValueError(faults(error)) from None
    if request.kind != kind:
        raise ValueError(f"it asks for '{request.kind}', not '{kind}'")
    return request, parameters


def _from_variable(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise ValueError(f"the variable {name} is not set") from None


def _work(request: Request, parameters: Declared) -> None:
    workspace = Workspace(request)
    if workspace.is_done() and not is_volatile(request.kind, request.parameters):
        message("already done: the output has its completion marker")
        return
    workspace.open()
    outcome = import_module(f"hub_steps.{request.kind}.step").main(workspace, parameters)
    if outcome:
        workspace.commit(outcome)


def _stop(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedError


def _stop_on_eof() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _unexpected(error: Exception) -> ExitCode:
    sys.stderr.write(redact("".join(traceback.format_exception(error))))
    _complain(f"unexpected {type(error).__name__}: {error}")
    return RetryableError.exit_code if isinstance(error, ConnectionError) else ExitCode.FAILED


def _complain(text: str) -> None:
    sys.stderr.write(f"error: {redact(text)}\n")
    sys.stderr.flush()
