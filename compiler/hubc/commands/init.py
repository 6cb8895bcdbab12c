"""`hubc init`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.repository import display_name, find_root
from hubc.scaffold import scaffold

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Write a pipeline spec with a leaf of its own, and say what to do next."""
    root = find_root(Path.cwd())
    written = [display_name(path) for path in scaffold(root, options.name)]
    sys.stdout.writelines(f"wrote {name}\n" for name in written)
    sys.stdout.write(f"next: edit them, then: hubc validate && hubc run {written[0]}\n")
    if not (root / "schemas").is_dir():
        sys.stdout.write("for completion in an editor: hubc schema\n")
    return 0
