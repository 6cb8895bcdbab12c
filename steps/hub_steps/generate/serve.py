"""The endpoint of a teacher or judge: one that exists, or a server that lives as long as the step needs it.

That server is a process of the step, or a container beside it, which whoever started the step names in HUBC_SERVED_TEACHER
or HUBC_SERVED_JUDGE.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hub_steps.contract import SERVED, SERVED_FAULT, StepError, message
from hub_steps.generate.readiness import await_ready, known_as
from hub_steps.locations import ModelLocation
from hub_steps.models.fetch import fetch
from hub_steps.parameters import Judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.parameters import SecretReference, ServedModel, Teacher

LOG_TAIL = 10


@dataclass(frozen=True)
class Served:
    """Where a teacher or judge answers, under which name, and how many requests at once."""

    role: str
    url: str
    model: str
    api_key: str
    parallel_requests: int
    is_own: bool
    """Whether it is served for this step, beside it: no proxy is in between."""


@contextmanager
def reach(teacher: Teacher, cache: Path, log: Path) -> Iterator[Served]:
    """Give access to the teacher or judge; a served one writes to `log` and is gone when the block ends.

    Raises StepError if its key is not there or its server does not start, and RetryableError if the server of a container
    is not ready in time.
    """
    role = "judge" if isinstance(teacher, Judge) else "teacher"
    if endpoint := teacher.endpoint:
        key = _key(endpoint.api_key, role) if endpoint.api_key else "none"
        yield Served(role, endpoint.url, endpoint.model, key, endpoint.parallel_requests, is_own=False)
    elif teacher.serve and (url := os.environ.get(SERVED.format(role=role.upper()), "").rstrip("/")):
        fault = os.environ.get(SERVED_FAULT.format(role=role.upper()))
        await_ready(url, role, Path(fault) if fault else None)
        name = known_as(url, PurePosixPath(ModelLocation.parse(teacher.serve.location).path).stem)
        yield Served(role, f"{url}/v1", name, "none", teacher.serve.parallel_requests, is_own=True)
    elif teacher.serve:
        weights = fetch(ModelLocation.parse(teacher.serve.location), cache)
        with _server(teacher.serve, weights, log) as url:
            yield Served(role, f"{url}/v1", weights.stem, "none", teacher.serve.parallel_requests, is_own=True)


def _key(reference: SecretReference, role: str) -> str:
    key = os.environ.get(reference.variable, "").strip()
    if not key:
        raise StepError(f"the {role}'s key is missing: set {reference.variable}")
    if not (key.isascii() and key.isprintable()):
        raise StepError(f"the {role}'s key in {reference.variable} holds characters that no header can carry")
    return key


@contextmanager
def _server(served: ServedModel, weights: Path, log: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "hub_steps.generate.llama_server", str(weights),
               str(served.parallel_requests), str(served.context_tokens)]  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUBC_SECRET_")}
    message(f"serving {weights.name}")
    with log.open("wb") as errors, subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
    ) as process:  # fmt: skip
        try:
            assert process.stdout  # noqa: S101 - Popen was told to make a pipe
            url = process.stdout.readline().strip()
            if not url:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL:])
                raise StepError(f"the server of {weights.name} did not start:\n{tail}")
            yield url
        finally:
            process.kill()
