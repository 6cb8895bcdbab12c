"""`hubc retry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.commands.runs import backend_of, on, show

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Start a run that failed or was cancelled again, and return without waiting."""
    again = backend_of(options.platform).retry(options.run)
    show(again, options, f"; follow it with: hubc logs -f {again.id}{on(options.platform)}")
    return 0
