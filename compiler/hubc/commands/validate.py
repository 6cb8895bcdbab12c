"""`hubc validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.workspace import validate_paths

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Check every spec and leaf at the given paths."""
    number = validate_paths(options.paths or [Path("specs")])
    good = "[]" if options.format == "json" else f"{number} {'file is' if number == 1 else 'files are'} good"
    sys.stdout.write(f"{good}\n")
    return 0
