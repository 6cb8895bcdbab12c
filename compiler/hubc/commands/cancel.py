"""`hubc cancel`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.commands.runs import backend_of, show

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """End a run, and say so when nothing of it runs any more."""
    show(backend_of(options.platform).cancel(options.run), options, "; nothing of it runs any more")
    return 0
