"""`hubc schema`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.errors import HubcError
from hubc.spec.schema import stale, write

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Write the JSON Schemas, or say which are stale."""
    if not options.check:
        sys.stdout.writelines(f"{path}\n" for path in write(options.output))
        return 0
    if old := stale(options.output):
        raise HubcError(f"stale: {', '.join(map(str, old))}; write them with 'hubc schema'")
    return 0
