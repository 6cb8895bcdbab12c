"""Starting the process that drives a submitted run: it outlives the command that started it, and its terminal."""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING

from hubc.backends.local.scheduler import STOP_SIGNALS
from hubc.errors import UnreachableError

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.backends.local.state import State
    from hubc.plan import Plan
    from hubc.runs import Run

LOG = "driver.log"
"""What the process says, in the run's folder: what `hubc run` would show."""
PROGRAM = "hubc.backends.local"


def launch(state: State, run: Run, lock: int, plan: Plan, parallel_steps: int) -> Run:
    """Start the process that drives a run, hand it the plan and the driver's lock, and return the run with the process.

    The process has the environment of this one, and in it the secrets. Signals to stop wait until it can note them.
    Raises UnreachableError if it does not start.
    """
    arguments = [str(state.root), run.id, str(parallel_steps), str(lock)]
    data = memoryview(pickle.dumps(plan))
    os.set_inheritable(lock, True)
    reader, writer = os.pipe()
    with open(reader, "rb") as theirs, open(writer, "wb", buffering=0) as ours:  # noqa: PTH123 - descriptors
        log = state.runs / run.id / LOG
        try:
            run = run.model_copy(update={"pid": _spawn(arguments, theirs.fileno(), log)})
            # It is in the record before the process can write there: until it has its plan, it waits.
            state.save(run)
            theirs.close()
            while data:
                data = data[ours.write(data) :]
        except OSError as error:
            raise UnreachableError(f"cannot start the process of run '{run.id}': {error.strerror}; see {log}") from None
        finally:
            os.close(lock)
    return run


def _spawn(arguments: list[str], standard_input: int, log: Path) -> int:
    """Start the process in a session of its own, so that nothing that ends the terminal reaches it; return its id."""
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", PROGRAM, *arguments],
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, standard_input, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=STOP_SIGNALS,
    )
