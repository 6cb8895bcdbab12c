"""How a program of a step ends: every failure as one line on standard error, and as an exit code."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from hub_steps.contract import TERMINATION_LOG, ExitCode, StepError, StoppedError, redact
from hub_steps.files import is_disk_full

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_TERMINATION_BYTES = 4096
"""What Kubernetes keeps of a container's termination message."""


class Ending(NamedTuple):
    """An exit code, and the reason if it is not 0."""

    code: ExitCode
    error: str | None = None


def ending(work: Callable[[], None], output: str) -> Ending:
    """Do the work and return how it ended; `output` is named when a disk is full and nobody says which."""
    try:
        signal.signal(signal.SIGTERM, _stop)
        work()
    except StoppedError:
        return Ending(ExitCode.STOPPED, "stopped as asked")
    except StepError as error:
        return Ending(error.exit_code, str(error))
    except Exception as error:
        if not is_disk_full(error):
            return _unexpected(error)
        place = getattr(error, "filename", None) or output
        return Ending(ExitCode.RETRY, f"no space left on the device that holds {place}: free some, then run again")
    return Ending(ExitCode.DONE)


def tell(error: str | None) -> None:
    """Tell the reason, if there is one, on standard error and to whoever looks after the container."""
    if error is None:
        return
    text = redact(error)
    sys.stderr.write(f"error: {text}\n")
    sys.stderr.flush()
    if place := os.environ.get(TERMINATION_LOG):
        try:
            Path(place).write_bytes(_cut(text))
        except OSError as fault:
            sys.stderr.write(f"warning: cannot write {place}: {fault.strerror}\n")


def _cut(text: str) -> bytes:
    return text.encode(errors="replace")[:MAX_TERMINATION_BYTES].decode(errors="ignore").encode()


def _stop(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedError


def _unexpected(error: Exception) -> Ending:
    sys.stderr.write(redact("".join(traceback.format_exception(error))))
    code = ExitCode.RETRY if isinstance(error, ConnectionError) else ExitCode.FAILED
    return Ending(code, f"unexpected {type(error).__name__}: {error}")
