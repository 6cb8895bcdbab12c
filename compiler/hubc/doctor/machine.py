"""Whether this machine is ready to run a plan by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from hubc.doctor.finding import Finding
from hubc.doctor.packages import needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.plan import Plan, Step
    from hubc.spec.platform import Platform

GIB = 1 << 30
LITTLE_DISK_GIB, MUCH_DISK_GIB = 1.0, 20.0
"""With less, not even small models fit; with more, those of a few thousand million parameters do, and their outputs."""
DEVICES_SECONDS = 120
COUNT_DEVICES = "import torch; print(torch.accelerator.device_count() if torch.accelerator.is_available() else 0)"


def check_machine(platform: Platform, plan: Plan | None) -> Iterator[Finding]:
    """Say how this machine is, for a plan or in general; nothing is changed."""
    yield from _cache(_cache_folder())
    if plan is None:
        return
    yield from _packages(plan)
    yield from _memory(plan)
    yield from _accelerators(platform, plan)
    yield from _secrets(plan)


def _cache_folder() -> Path:
    """Return where the steps keep models."""
    if chosen := os.environ.get("HUBC_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubc"


def _cache(folder: Path) -> Iterator[Finding]:
    subject = f"model cache {folder}"
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    try:
        with tempfile.TemporaryFile(dir=place) as trial:
            trial.write(b"hubc")
        free = psutil.disk_usage(str(place)).free / GIB
    except OSError as error:
        yield Finding(subject, "bad", f"cannot write in {place}: {error.strerror or error}",
                      "let this user write there, or name another folder: HUBC_CACHE")  # fmt: skip
        return
    yield Finding(subject, "good", "can be written" if place == folder.absolute() else f"can be made in {place}")
    text = f"{free:.1f} GiB free below {place}"
    if free < LITTLE_DISK_GIB:
        yield Finding("disk space", "bad", text, "free some, or name a folder on another disk: HUBC_CACHE")
    elif free < MUCH_DISK_GIB:
        yield Finding("disk space", "unknown", text, "compare with the size of the models: each is kept twice at least")
    else:
        yield Finding("disk space", "good", text)


def _packages(plan: Plan) -> Iterator[Finding]:
    for extra, (packages, step) in needed(plan).items():
        subject = f"packages of extra '{extra}'"
        missing = [name for name in packages if find_spec(name) is None]
        if missing:
            yield Finding(subject, "bad", f"step '{step}' needs {', '.join(missing)}", f"pip install 'hubc[{extra}]'")
        else:
            yield Finding(subject, "good", "are installed")


def _memory(plan: Plan) -> Iterator[Finding]:
    """All nodes of a step run on this machine; what a step asks for is more than many need, and nobody enforces it."""
    largest = max(plan.steps, key=_asked_gib, default=None)
    if largest is None:
        return
    memory, asked = psutil.virtual_memory(), _asked_gib(largest)
    text = (
        f"step '{largest.id}' asks for {asked} GiB; of {memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} are free"
    )
    if memory.available / GIB >= asked:
        yield Finding("memory", "good", text)
    else:
        remedy = "end other programs" if memory.total / GIB >= asked else "take a smaller model or batch"
        yield Finding("memory", "unknown", text, f"{remedy}, or write what the step really needs as 'memory_gib'")


def _asked_gib(step: Step) -> int:
    return step.resources.memory_gib * step.resources.nodes


def _accelerators(platform: Platform, plan: Plan) -> Iterator[Finding]:
    asking = [step for step in plan.steps if step.resources.devices]
    if not asking:
        return
    largest = max(asking, key=lambda step: step.resources.devices * step.resources.nodes)
    asked, there = largest.resources.devices * largest.resources.nodes, _num_devices()
    text = f"step '{largest.id}' asks for {asked}"
    if there is None:
        yield Finding("accelerators", "unknown", f"{text}, and torch does not say how many there are",
                      "install torch for this machine's accelerators")  # fmt: skip
    elif there < asked:
        remedy = f"ask for less, or leave 'resource' out in platform '{platform.metadata.name}': the CPU stands in then"
        yield Finding("accelerators", "bad", f"{text}; torch sees {there}", remedy)
    else:
        yield Finding("accelerators", "good", f"{text}; torch sees {there}")


def _num_devices() -> int | None:
    """Return how many accelerators the steps will see; a process of its own asks, as drivers may end it."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", COUNT_DEVICES], capture_output=True, text=True, timeout=DEVICES_SECONDS, check=False
        )  # fmt: skip
        return int(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _secrets(plan: Plan) -> Iterator[Finding]:
    wanted = {secret.variable: f"step '{step.id}'" for step in reversed(plan.steps) for secret in step.secrets}
    wanted |= {item.authorization.variable: "a webhook" for item in plan.notify if item.authorization}
    for variable, who in sorted(wanted.items()):
        if os.environ.get(variable, "").strip():
            yield Finding(f"secret {variable}", "good", f"is set, for {who}")
        else:
            yield Finding(f"secret {variable}", "bad", f"{who} needs it", f"set {variable} where hubc runs")
