"""Training with a script of the user's own, under the same torchrun as hubc's: `algorithm: custom`.

The script finds its inputs in HUBC_MODEL (folder) and HUBC_DATA (JSON lines), and leaves `$HUBC_OUTPUT/model`. If it also
leaves `$HUBC_OUTPUT/metrics.jsonl` with `step` and `loss` in its rows, hubc draws the loss curve from it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.contract import BadRequestError, ExitCode, StepError, redact
from hub_steps.parameters.train import is_reserved
from hub_steps.train.made import check_model, read_figures
from hub_steps.train.packages import install
from hub_steps.train.processes import exit_code, torchrun
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.parameters.train import CustomScript
    from hub_steps.train.job import Job

TORCHRUN = "torch/distributed/elastic/"
"""In every line that torchrun itself logs."""
LAST_LINES = 10
"""Lines of a failed script's output that become part of the error."""


def run_script(job: Job, script: str | None) -> Outcome:
    """Run the script on every process of this node, and check what it made.

    Raises StepError with the script's exit code and last lines if it fails, and if it leaves no model.
    """
    custom = job.parameters.custom
    if custom is None or script is None:
        raise BadRequestError("bad request: the algorithm 'custom' needs a script")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hubc-script-") as name:
        folder = Path(name)
        program = folder / "code" / Path(custom.script).name
        program.parent.mkdir()
        program.write_text(script, encoding="utf-8")
        environment = _environment(job, custom, folder)
        if custom.packages:
            install(custom.packages, custom.index_urls, folder / "packages")
        with _told() as (stream, last):
            code = torchrun(folder, [str(program), *custom.arguments], environment, stream)
        if code:
            raise _failure(custom, folder, code, last)
    return _outcome(job, custom, round(time.monotonic() - started, 1))


def _outcome(job: Job, custom: CustomScript, seconds: float) -> Outcome:
    if int(os.environ.get("PET_NODE_RANK") or 0):
        return Outcome("trained with the first node", {})
    check_model(job.output / "model")
    history = read_figures(job.output / "metrics.jsonl")
    metrics = {"wall_seconds": seconds}
    if not history:
        return Outcome(f"{custom.script} made a model", metrics)
    from hub_steps.train.curve import draw_loss

    draw_loss(history, custom.script, job.output / "loss_curve.png", "as the script reports it")
    first, last = history[0]["loss"], history[-1]["loss"]
    metrics |= {"steps": history[-1]["step"], "first_loss": first, "last_loss": last}
    return Outcome(f"{custom.script} made a model, {history[-1]['step']} steps, loss {first:.2f} -> {last:.2f}", metrics)


def _environment(job: Job, custom: CustomScript, folder: Path) -> dict[str, str]:
    if taken := sorted(filter(is_reserved, custom.environment)):
        raise BadRequestError(f"custom.environment: {', '.join(taken)}: hubc sets these itself")
    merged = {**os.environ, **custom.environment}
    merged["PYTHONPATH"] = os.pathsep.join(filter(None, [str(folder / "packages"), merged.get("PYTHONPATH")]))
    return {
        **merged, **_tracking(job),
        "HUBC_MODEL": str(job.model), "HUBC_DATA": str(job.data), "HUBC_OUTPUT": str(job.output),
    }  # fmt: skip


def _tracking(job: Job) -> dict[str, str]:
    """Return the variables by which the wandb package knows where runs go."""
    target = job.parameters.tracking.wandb
    if target is None:
        return {}
    key = os.environ.get(target.api_key.variable) if target.api_key else None
    found = {
        "WANDB_PROJECT": target.project, "WANDB_ENTITY": target.entity, "WANDB_BASE_URL": target.url,
        "WANDB_API_KEY": key, "WANDB_MODE": None if key else "offline", "WANDB_DIR": str(job.output),
        "WANDB_RUN_GROUP": job.identity.run, "WANDB_JOB_TYPE": job.step,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}


@contextmanager
def _told() -> Iterator[tuple[int, deque[str]]]:
    """Give a stream whose lines go to standard error without secrets, and the last of them."""
    last: deque[str] = deque(maxlen=LAST_LINES)
    reading, writing = os.pipe()

    def pass_on() -> None:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                shown = redact(line)
                sys.stderr.write(shown)
                sys.stderr.flush()
                if TORCHRUN not in line:
                    last.append(shown.rstrip())

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    try:
        yield writing, last
    finally:
        os.close(writing)
        thread.join(timeout=5)  # What the script left running in the background may hold the stream open.


def _failure(custom: CustomScript, folder: Path, code: int, last: deque[str]) -> StepError:
    ended = exit_code(folder, code)
    error = StepError(f"{custom.script} ended with exit code {ended}; its last lines: {' | '.join(filter(None, last))}")
    if ended == ExitCode.RETRY:
        error.exit_code = ExitCode.RETRY  # type: ignore[misc] # the code is the script's, not the class's
    return error
