"""`hubc delete`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import local_backend

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Cancel a run if need be, and forget it."""
    local_backend().delete(options.run)
    sys.stdout.write(f"{options.run}: deleted; what its steps made stays for reuse\n")
    return 0
