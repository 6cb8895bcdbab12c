"""The interface between whatever starts a step and the step: a request in, events and files out, an exit code."""

import json
import os
import sys
import time
from enum import IntEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub_steps.parameters import (
    Declared,
    EvaluateParameters,
    FetchParameters,
    GateParameters,
    GenerateParameters,
    MixParameters,
    PublishParameters,
    TrainStepParameters,
)

Kind = Literal["fetch", "generate", "mix", "train", "evaluate", "gate", "publish"]
PARAMETERS: dict[str, type[Declared]] = {
    "fetch": FetchParameters,
    "generate": GenerateParameters,
    "mix": MixParameters,
    "train": TrainStepParameters,
    "evaluate": EvaluateParameters,
    "gate": GateParameters,
    "publish": PublishParameters,
}

RESULT_FILE = "result.json"
"""The completion marker: written last, so a folder that has it is whole."""
DEVICE = "HUBC_DEVICE"
"""Environment variable: `cpu` when the plan gives the step no accelerator, whatever the machine has."""
RUN = "HUBC_RUN"
"""Environment variable: the run that the step belongs to, where the request could not know its name."""
SERVED = "HUBC_SERVED_{role}"
"""Environment variable: base URL of the server beside the step that serves its TEACHER or JUDGE."""
SERVED_FAULT = "HUBC_SERVED_{role}_FAULT"
"""Environment variable: file in which that server says why it ended, if it could not start."""
STOP_ON_EOF = "HUBC_STOP_ON_EOF"
"""Environment variable: the step stops when its standard input ends, because whoever started it is gone."""

TERMINATION_LOG = "HUBC_TERMINATION_LOG"
"""Environment variable: file that gets the last error of a container, where Kubernetes looks for it."""
MIN_SECRET_CHARACTERS = 8
"""Shorter values of the cloud's own variables are no secrets, and would take words out of every text."""

_CLOUD_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class ExitCode(IntEnum):
    """How a step ends."""

    DONE = 0
    FAILED = 1
    BAD_REQUEST = 2
    RETRY = 75
    STOPPED = 143


class StepError(Exception):
    """A step cannot go on, and trying again would not help; its text is the whole message."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class RetryableError(StepError):
    """A step cannot go on for a reason that may pass: a server that is down, a full disk."""

    exit_code = ExitCode.RETRY


class BadRequestError(StepError):
    """The request does not describe work that the step can do."""

    exit_code = ExitCode.BAD_REQUEST


class StoppedError(BaseException):
    """The step was told to stop; not an Exception, so that no library takes it for a failure of its own and goes on."""


class Record(BaseModel):
    """Base of what programs write for programs."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Input(Record):
    """One input: a model location, a file or folder in storage, or documents that the request itself carries."""

    uri: str | None = None
    documents: dict[str, Any] | None = None
    key: str
    """Digest or cache key: what the input's content is known by."""


class Identity(Record):
    """Who asked for the step."""

    run: str
    pipeline: str
    spec_digest: str
    plan_digest: str


class Request(Record):
    """All that a step is told."""

    version: Literal["hubc.steps/v1"] = "hubc.steps/v1"
    kind: Kind
    step: str
    key: str
    parameters: dict[str, Any]
    inputs: dict[str, Input]
    output: Annotated[str, Field(pattern=r"^[a-z0-9]+://")]
    """URI of the folder that the step fills; it exists only once the step is done."""
    publish_root: str | None = None
    """URI below which relative publishing locations lie."""
    model_cache: str | None = None
    """Folder for fetched and converted models; left out, the user's cache folder."""
    record: str | None = None
    """URI of the folder that gets the log of each node (`<step>.<node>.log`) and why the step failed
    (`<step>.failure.json`); left out, whoever started the step keeps them."""
    identity: Identity


class FileEntry(Record):
    """One output file; `modified_ns` spares reading the file again to see that it is unchanged."""

    path: str
    """Relative to the step's output; for a file that the step published, an absolute path or a URI in an object store."""
    size: int
    sha256: str
    modified_ns: int

    @property
    def is_published(self) -> bool:
        """Whether the file lies outside of the step's output."""
        return self.path.startswith("/") or "://" in self.path


class Result(Record):
    """What a finished step says of itself; stored as the completion marker."""

    version: Literal["hubc.steps/v1"] = "hubc.steps/v1"
    kind: Kind
    step: str
    key: str
    material: dict[str, Any]
    """All that the cache key was computed from, to explain later what changed."""
    run: str
    started_at: float
    finished_at: float
    summary: str
    metrics: dict[str, Any]
    files: tuple[FileEntry, ...]
    packages: dict[str, str]
    """Versions of the packages that did the work."""


def is_volatile(kind: str, parameters: dict[str, Any]) -> bool:
    """Tell whether a step depends on more than its key says, so that what it made before is not reused.

    That is a gate which compares with what is published at the time.
    """
    return kind == "gate" and parameters.get("published") is not None


def faults(error: ValidationError) -> str:
    """Return everything that a validation found, on one line."""
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"]))) for fault in found)


def emit(event: str, **fields: Any) -> None:
    """Write one structured event to standard output, as a line of JSON."""
    line = json.dumps({"hubc": event, "time": round(time.time(), 3), **fields})
    sys.stdout.write(redact(line) + "\n")
    sys.stdout.flush()


def message(text: str) -> None:
    """Tell the user what the step is doing."""
    emit("message", text=text)


def progress(done: int, total: int, unit: str, **metrics: float) -> None:
    """Tell how far the step is: `done` of `total` units, with the newest figures."""
    emit("progress", done=done, total=total, unit=unit, metrics=metrics)


def redact(text: str) -> str:
    """Return `text` without the value of any secret that was given to this process."""
    values = {value.strip() for name, value in os.environ.items() if name.startswith("HUBC_SECRET_")} - {""}
    values |= {value for name in _CLOUD_SECRETS if len(value := os.environ.get(name, "")) >= MIN_SECRET_CHARACTERS}
    # Of a text of several lines, such as a private key, a log shows one at a time.
    values |= {line for value in values for line in value.splitlines() if len(line.strip()) >= MIN_SECRET_CHARACTERS}
    # A secret may be part of another one: the longer goes first.
    for form in sorted(values | {json.dumps(value)[1:-1] for value in values}, key=len, reverse=True):
        text = text.replace(form, "***")
    return text
