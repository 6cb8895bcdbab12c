"""`hubc validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.diagnostics import as_json
from hubc.errors import SpecError
from hubc.repository import find_root
from hubc.workspace import validate_paths

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Check every spec and leaf at the given paths; as JSON, the diagnostics are the output."""
    paths = options.paths or [find_root(Path.cwd()) / "specs"]
    if options.format == "json":
        return _run_json(paths)
    number = validate_paths(paths)
    sys.stdout.write(f"{number} {'file is' if number == 1 else 'files are'} good\n")
    return 0


def _run_json(paths: list[Path]) -> int:
    try:
        validate_paths(paths)
    except SpecError as error:
        sys.stdout.write(as_json(error.diagnostics) + "\n")
        return error.exit_code
    sys.stdout.write("[]\n")
    return 0
