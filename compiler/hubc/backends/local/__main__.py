"""The process that drives a submitted run: `python -m hubc.backends.local ROOT RUN PARALLEL LOCK`, the plan on its input.

`hubc.backends.local.driver` starts it; nobody else needs to.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from pathlib import Path

from hubc.backends.local import LocalBackend
from hubc.backends.local.scheduler import STOP_SIGNALS, StopSignals
from hubc.display import PlainDisplay


def main() -> int:
    """Drive a run to its end; a run that is told to stop has then ended, too."""
    root, run, parallel_steps, lock = sys.argv[1:]
    # The steps must not hold it: it says that this process lives.
    os.set_inheritable(int(lock), False)
    backend = LocalBackend(Path(root), int(parallel_steps))
    with StopSignals() as told_to_stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        plan = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
        try:
            done = backend.drive(plan, backend.get(run), PlainDisplay(sys.stderr), _complain, told_to_stop)
        except KeyboardInterrupt:
            return 130
    _complain(f"{done.state}: {done.reason}" if done.reason else done.state)
    return 0 if done.state == "succeeded" else 3


def _complain(text: str) -> None:
    sys.stderr.write(f"hubc: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
