"""`hubc list`."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from hubc.backends.local import LocalBackend
from hubc.commands.runs import backend_of, how_to_start
from hubc.runs import DONE

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """List the runs, the newest first."""
    backend = backend_of(options.platform)
    runs = backend.list()
    if options.format == "json":
        sys.stdout.write(json.dumps([run.model_dump(mode="json") for run in runs], indent=2) + "\n")
        return 0
    if not runs:
        where = f"in {backend.root}" if isinstance(backend, LocalBackend) else f"on '{options.platform}'"
        sys.stdout.write(f"no runs yet {where}; start one with: {how_to_start(backend)}\n")
    width = max((len(run.id) for run in runs), default=0)
    for run in runs:
        done = sum(step.state in DONE for step in run.steps)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at))
        sys.stdout.write(f"{run.id:<{width}}  {run.state:<10} {done}/{len(run.steps)} steps  {when}  {run.spec}\n")
    return 0
