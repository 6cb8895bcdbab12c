"""Serve the teacher or judge of a step beside it: `python -m hub_steps.serve --request URI --role teacher --port 8081`.

llama.cpp serves the weights on the loopback interface until SIGTERM; if it cannot, `--fault` names the file in which
the step reads why. With `--fetch-only`, for another server, the weights are only fetched; an event tells where they are,
and `--link` gives them a path that is known before.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pydantic import ValidationError

from hub_steps.contract import (
    PARAMETERS,
    BadRequestError,
    ExitCode,
    Request,
    RetryableError,
    StepError,
    StoppedError,
    emit,
    faults,
    message,
    redact,
)
from hub_steps.files import write_durably
from hub_steps.generate.llama_server import start
from hub_steps.generate.readiness import ServerFault
from hub_steps.locations import ModelLocation
from hub_steps.models.fetch import fetch
from hub_steps.models.load import cache_folder
from hub_steps.parameters import served_model
from hub_steps.storage import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_steps.parameters import ServedModel


def main(words: Sequence[str] | None = None) -> ExitCode:
    """Serve until told to stop, and return how it ended; being told to stop is a good end."""
    parser = argparse.ArgumentParser(prog="python -m hub_steps.serve", description="Serve the model that a step asks.")
    parser.add_argument("--request", required=True, metavar="URI", help="request of the step")
    parser.add_argument("--role", required=True, choices=["teacher", "judge"], help="which of the step's models")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--port", type=int, help="port on the loopback interface")
    what.add_argument("--fetch-only", action="store_true", help="fetch the weights and serve nothing")
    parser.add_argument("--link", type=Path, metavar="PATH", help="make this a link to the weights")
    parser.add_argument("--fault", type=Path, metavar="PATH", help="write here why it ended, if it cannot serve")
    options = parser.parse_args(words)
    try:
        return _serve(options)
    except StoppedError:
        return ExitCode.DONE
    except StepError as error:
        return _complain(str(error), error.exit_code, options.fault)
    except OSError as error:
        return _complain(f"cannot fetch the weights: {error}", ExitCode.RETRY, options.fault)


def _serve(options: argparse.Namespace) -> ExitCode:
    request = _read(options.request)
    served = _served_model(request, options.role)
    weights = fetch(ModelLocation.parse(served.location), cache_folder(request))
    if options.link:
        _link(options.link, weights)
    if options.fetch_only:
        emit("fetched", path=str(weights))
        return ExitCode.DONE
    try:
        server = start(str(weights), served.parallel_requests, served.context_tokens, options.port)
    except RuntimeError as error:
        raise StepError(f"llama.cpp cannot serve {weights.name} at port {options.port}: {error}") from None
    message(f"serving {weights.name} at {server.listening_address}")
    while True:
        signal.pause()


def _read(source: str) -> Request:
    try:
        text = read_text(source if "://" in source else Path(source).absolute().as_uri())
    except StepError as error:
        raise RetryableError(f"cannot read the request: {error}") from None
    try:
        return Request.model_validate_json(text)
    except ValidationError as error:
        raise BadRequestError(f"bad request: {faults(error)}") from None


def _served_model(request: Request, role: str) -> ServedModel:
    """Return the model that a step wants served; raises BadRequestError if it wants none in this role."""
    try:
        parameters = PARAMETERS[request.kind].model_validate(request.parameters)
    except ValidationError as error:
        raise BadRequestError(f"bad request: {faults(error)}") from None
    served = served_model(parameters, role)
    if served is None:
        raise BadRequestError(f"bad request: step '{request.step}' has no {role} to serve")
    return served


def _link(link: Path, weights: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    draft = link.with_name(f".{link.name}.{os.getpid()}")
    draft.symlink_to(weights)
    draft.replace(link)


def _stop(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedError


def _complain(text: str, code: ExitCode, left: Path | None) -> ExitCode:
    sys.stderr.write(f"error: {redact(text)}\n")
    if left:
        try:
            left.parent.mkdir(parents=True, exist_ok=True)
            write_durably(left, ServerFault(code=code, text=redact(text)).model_dump_json())
        except OSError as error:
            sys.stderr.write(f"error: the step is not told, and waits in vain: {error}\n")
    return code


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _stop)
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # The server's threads do not end by themselves.
    os._exit(code)
