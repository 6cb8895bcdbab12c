"""The training processes of one node, under torchrun.

torchrun is told its topology by the `PET_*` variables (https://docs.pytorch.org/docs/stable/elastic/run.html), which every
backend sets: PET_NNODES, PET_NPROC_PER_NODE, PET_NODE_RANK, PET_MASTER_ADDR, PET_MASTER_PORT. Without them, one process
runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.contract import StepError, StoppedError, message
from hub_steps.train.job import CODE_FILE, FAULT_FILE, JOB_FILE, SUMMARY_FILE, Fault, Job
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

STOP_SECONDS = 60
"""Time for the training processes to write a checkpoint before they are killed; torchrun itself gives them 30."""


def run_worker(job: Job, script: str | None) -> Outcome:
    """Train with hubc's own worker; only the first node has a summary of its own to report.

    Raises StoppedError after a checkpoint was written, and StepError with the reason of the process that failed first.
    """
    with tempfile.TemporaryDirectory(prefix="hubc-train-") as name:
        folder = Path(name)
        (folder / JOB_FILE).write_text(job.model_dump_json(), encoding="utf-8")
        code = torchrun(folder, ["-m", "hub_steps.train.worker", name])
        if code:
            raise _fault(folder, code)
        summary_file = folder / SUMMARY_FILE
        summary = json.loads(summary_file.read_text(encoding="utf-8")) if summary_file.is_file() else None
    if summary is None:
        return Outcome("trained with the first node", {})
    losses = f"{summary['first_loss']:.2f} -> {summary['last_loss']:.2f}"
    validation = f", validation loss {summary['validation_loss']:.2f}" if "validation_loss" in summary else ""
    text = f"{summary['samples']} samples, {summary['steps']} steps, loss {losses}{validation}"
    return Outcome(text, summary, keeps_checkpoints=job.parameters.keeps_checkpoints)


def torchrun(
    folder: Path, program: list[str], environment: Mapping[str, str] | None = None, output: IO[bytes] | int | None = None
) -> int:
    """Run a program on every process of this node and return torchrun's exit code; `output` takes all that they print.

    Raises StoppedError after they ended because the step was told to stop.
    """
    nodes = int(os.environ.get("PET_NNODES") or 1)
    if nodes > 1 and not os.environ.get("PET_MASTER_ADDR"):
        raise StepError(f"PET_NNODES is {nodes}, but PET_MASTER_ADDR is not set: the nodes cannot find each other")
    alone = ["--standalone"] if nodes == 1 else []
    command = [sys.executable, "-m", "hub_steps.train.launcher", str(folder), *alone, *program]
    message(f"starting torchrun on node {os.environ.get('PET_NODE_RANK') or 0} of {nodes}")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, stdout=output, stderr=output) as process:
        try:
            return process.wait()
        except StoppedError:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise


def _fault(folder: Path, code: int) -> StepError:
    try:
        return Fault.model_validate_json((folder / FAULT_FILE).read_text(encoding="utf-8")).as_error()
    except (OSError, ValueError):
        return StepError(f"a training process ended with exit code {exit_code(folder, code)} and no reason of its own; "
                         "the log above has what it printed")  # fmt: skip


def exit_code(folder: Path, code: int) -> int:
    """Return the exit code of the process that failed first (negative: a signal), else torchrun's own `code`."""
    left = folder / CODE_FILE
    return int(left.read_text(encoding="utf-8")) if left.is_file() else code
