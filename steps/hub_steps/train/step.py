"""The train step on one node: prepare the model, run torchrun, and complete the output on the first node.

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
from hub_steps.models.load import cache_folder, model_folder
from hub_steps.train.checkpoints import remove_halves
from hub_steps.train.job import FAULT_FILE, JOB_FILE, SUMMARY_FILE, Fault, Job
from hub_steps.workspace import CHECKPOINTS, Outcome

if TYPE_CHECKING:
    from hub_steps.parameters import TrainParameters
    from hub_steps.workspace import Workspace

STOP_SECONDS = 60
"""Time for the training processes to write a checkpoint before they are killed; torchrun itself gives them 30."""


def main(workspace: Workspace, parameters: TrainParameters) -> Outcome | None:
    """Train on this node; the first node reports the outcome, every other returns None.

    Raises StoppedError after a checkpoint was written, and StepError with the reason of the process that failed first.
    """
    job = Job(
        model=model_folder(workspace.input("model"), cache_folder(workspace.request)),
        data=workspace.input_path("data"),
        output=workspace.folder,
        parameters=parameters,
    )
    if workspace.is_first_node:
        remove_halves(workspace.path(CHECKPOINTS))
    with tempfile.TemporaryDirectory(prefix="hubc-train-") as folder:
        Path(folder, JOB_FILE).write_text(job.model_dump_json(), encoding="utf-8")
        _torchrun(Path(folder))
        if not workspace.is_first_node:
            return None
        summary = json.loads(Path(folder, SUMMARY_FILE).read_text(encoding="utf-8"))
    losses = f"{summary['first_loss']:.2f} -> {summary['last_loss']:.2f}"
    return Outcome(f"{summary['samples']} samples, {summary['steps']} steps, loss {losses}", summary)


def _torchrun(folder: Path) -> None:
    nodes = int(os.environ.get("PET_NNODES") or 1)
    if nodes > 1 and not os.environ.get("PET_MASTER_ADDR"):
        raise StepError(f"PET_NNODES is {nodes}, but PET_MASTER_ADDR is not set: the nodes cannot find each other")
    alone = ["--standalone"] if nodes == 1 else []
    command = [sys.executable, "-m", "hub_steps.train.launcher", *alone, "-m", "hub_steps.train.worker", str(folder)]
    message(f"starting torchrun on node {os.environ.get('PET_NODE_RANK') or 0} of {nodes}")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            code = process.wait()
        except StoppedError:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            raise
    if code:
        raise _fault(folder, code)


def _fault(folder: Path, code: int) -> StepError:
    try:
        return Fault.model_validate_json((folder / FAULT_FILE).read_text(encoding="utf-8")).as_error()
    except (OSError, ValueError):
        return StepError(f"torchrun ended with code {code} and no reason; the log above has what it printed")
