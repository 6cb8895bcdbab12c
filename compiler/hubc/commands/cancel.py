"""`hubc cancel`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import local_backend

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """End a run, and say so when nothing of it runs any more."""
    run = local_backend().cancel(options.run)
    sys.stdout.write(f"{run.id}: {run.state}; nothing of it runs any more\n")
    return 0
