"""`hubc validate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.colours import wanted
from hubc.diagnostics import has_errors
from hubc.errors import SpecError
from hubc.formats import MACHINE_FORMATS, as_text
from hubc.repository import find_root
from hubc.workspace import validate_paths

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from hubc.diagnostics import Diagnostic


def run(options: Namespace) -> int:
    """Check every spec and leaf at the given paths; for programs, the diagnostics are the output."""
    number = 0
    found: Sequence[Diagnostic]
    try:
        number, found = validate_paths(options.paths or [find_root(Path.cwd()) / "specs"])
    except SpecError as error:
        found = error.diagnostics
    if options.format in MACHINE_FORMATS:
        sys.stdout.write(MACHINE_FORMATS[options.format](found))
    else:
        sys.stderr.write(as_text(found, colour=wanted(sys.stderr)))
        if not has_errors(found):
            sys.stdout.write(f"{number} {'file is' if number == 1 else 'files are'} good\n")
    return SpecError.exit_code if has_errors(found) else 0
