"""`hubc logs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import chosen, local_backend
from hubc.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Show what the steps of a run printed."""
    backend = local_backend()
    name = chosen(backend, options.run)
    steps = {step.id: step for step in backend.get(name).steps}
    if options.step is not None and options.step not in steps:
        raise UsageError(f"run '{name}' has no step '{options.step}'; it has: {', '.join(steps)}")
    for step in steps.values():
        if step.reused_from and options.step in (None, step.id):
            hint = f"its log: hubc logs {step.reused_from} --step {step.id}"
            sys.stderr.write(f"hubc: {step.id} was reused; {hint}\n")
    for line in backend.logs(name, options.step, follow=options.follow):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0
