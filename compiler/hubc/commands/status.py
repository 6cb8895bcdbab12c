"""`hubc status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import chosen, local_backend
from hubc.display import duration, remark

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Show a run and its steps."""
    backend = local_backend()
    run = backend.get(chosen(backend, options.run))
    if options.format == "json":
        sys.stdout.write(run.model_dump_json(indent=2) + "\n")
        return 0
    sys.stdout.write(f"{run.id}: {run.state}" + (f" ({run.reason})" if run.reason else "") + "\n")
    for step in run.steps:
        note = step.progress if step.state == "running" and step.progress else remark(step)
        sys.stdout.write(f"  {step.id:<15} {step.state:<10} {duration(step):>12}  {note}\n")
    return 0
