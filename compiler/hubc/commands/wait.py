"""`hubc wait`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.commands.runs import backend_of, finished

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Wait until a run ends, and tell how it did."""
    return finished(backend_of(options.platform).wait(options.run, options.timeout), options)
