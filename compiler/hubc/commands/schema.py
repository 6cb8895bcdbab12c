"""`hubc schema`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.errors import HubcError
from hubc.repository import display_name, find_root
from hubc.spec.schema import stale, write

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Write the JSON Schemas, or say which are stale."""
    folder = options.output or find_root(Path.cwd()) / "schemas"
    if not options.check:
        sys.stdout.writelines(f"{display_name(path)}\n" for path in write(folder))
        return 0
    if old := stale(folder):
        raise HubcError(f"missing or stale: {', '.join(map(display_name, old))}; write them with 'hubc schema'")
    return 0
