"""`hubc delete`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import backend_of

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Cancel a run if need be, and forget it."""
    backend_of(options.platform).delete(options.run)
    told = f"{options.run}: deleted; what its steps made stays for reuse"
    sys.stdout.write((json.dumps({"deleted": options.run}) if options.format == "json" else told) + "\n")
    return 0
