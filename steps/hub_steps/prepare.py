"""The first task of a run on a cluster: puts the requests into the run record, and tells which steps have work to do.

`python -m hub_steps.prepare --plan PLAN --todo FOLDER`: writes `<record>/<step>.request.json`, and for every step the word
`run` or `done` to a file of FOLDER. The run is named by HUBC_RUN.
"""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from hub_steps import storage
from hub_steps.bundle import Bundle, Name
from hub_steps.contract import (
    RESULT_FILE,
    RUN,
    BadRequestError,
    Result,
    RetryableError,
    StepError,
    is_volatile,
    message,
)
from hub_steps.endings import ending, tell

if TYPE_CHECKING:
    from hub_steps.contract import ExitCode, Request

AT_ONCE = 8
"""Requests to the storage at a time."""


def main() -> ExitCode:
    """Read the command line, prepare the run, and return how that ended."""
    parser = argparse.ArgumentParser(prog="python -m hub_steps.prepare", description="Prepare a run on a cluster.")
    parser.add_argument("--plan", required=True, type=Path, metavar="FILE", help="the requests of all steps")
    parser.add_argument("--todo", required=True, type=Path, metavar="FOLDER", help="folder for one word a step")
    arguments = parser.parse_args()
    ended = ending(lambda: prepare(arguments.plan, arguments.todo), str(arguments.todo))
    tell(ended.error)
    return ended.code


def prepare(plan: Path, todo: Path) -> None:
    """Write requests and words; the words last, so that no step is started whose request is not there.

    Raises BadRequestError if the plan or the name of the run is not as it must be, and what the storage raises.
    """
    requests = _requests(plan)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_write, requests.values()))
        words = dict(zip(requests, pool.map(_word, requests.values()), strict=True))
    todo.mkdir(parents=True, exist_ok=True)
    for step, word in words.items():
        (todo / step).write_text(word, encoding="utf-8")
    done = [step for step, word in words.items() if word == "done"]
    message(f"{len(words) - len(done)} of {len(words)} steps to run" + (f"; done before: {', '.join(done)}" if done else ""))


def _requests(plan: Path) -> dict[str, Request]:
    try:
        run = TypeAdapter(Name).validate_python(os.environ.get(RUN, ""))
    except ValidationError:
        raise BadRequestError(f"bad plan: the variable {RUN} does not hold the name of a run") from None
    try:
        requests = Bundle.parse(plan.read_bytes()).unpack(run)
        for request in requests.values():
            storage.is_remote(request.output)
            if ".." in request.output.split("/"):
                raise BadRequestError(f"{request.step}: its output must not contain '..': {request.output}")
        return requests
    except OSError as error:
        raise BadRequestError(f"bad plan: cannot read {plan}: {error.strerror}") from None
    except StepError as error:
        raise BadRequestError(f"bad plan: {error}") from None


def _write(request: Request) -> None:
    storage.write_text(f"{request.record}/{request.step}.request.json", request.model_dump_json(exclude_none=True))


def _word(request: Request) -> str:
    fault = _fault(request)
    if fault is None:
        return "run" if is_volatile(request.kind, request.parameters) else "done"
    if fault:
        message(f"{request.step} runs again: {fault}")
        # A step takes an output with a completion marker for done.
        storage.remove(request.output, [RESULT_FILE])
    return "run"


def _fault(request: Request) -> str | None:
    """Return what is wrong with a step's output, an empty text if there is none, or None if it is whole."""
    marker = f"{request.output}/{RESULT_FILE}"
    if not storage.exists(marker):
        return ""
    try:
        result = Result.model_validate_json(storage.read_text(marker))
    except RetryableError:
        raise
    except (StepError, ValidationError):
        return "its completion marker cannot be read"
    if result.key != request.key:
        return "its completion marker is that of another step"
    there = storage.sizes(request.output)
    for entry in result.files:
        size = _published_size(entry.path) if entry.is_published else there.get(entry.path)
        if size != entry.size:
            return f"{entry.path} " + ("is missing" if size is None else f"has {size} bytes instead of {entry.size}")
    return None


def _published_size(path: str) -> int | None:
    return storage.size(path if "://" in path else Path(path).as_uri())


if __name__ == "__main__":
    sys.exit(main())
