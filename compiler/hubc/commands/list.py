"""`hubc list`."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from hubc.commands.runs import local_backend
from hubc.runs import DONE

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """List the runs, the newest first."""
    backend = local_backend()
    runs = backend.list()
    if options.format == "json":
        sys.stdout.write(json.dumps([run.model_dump(mode="json") for run in runs], indent=2) + "\n")
        return 0
    if not runs:
        sys.stdout.write(f"no runs yet in {backend.root}; start one with: hubc run SPEC\n")
    width = max((len(run.id) for run in runs), default=0)
    for run in runs:
        done = sum(step.state in DONE for step in run.steps)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.created_at))
        sys.stdout.write(f"{run.id:<{width}}  {run.state:<10} {done}/{len(run.steps)} steps  {when}  {run.spec}\n")
    return 0
