"""`hubc report`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import chosen, local_backend, on
from hubc.errors import UsageError
from hubc.report import report, report_text

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Show steps, loss curve, evaluation and result of a run."""
    backend = local_backend(options.platform)
    if backend is None:
        raise UsageError(f"a report is made of what steps wrote, and the storage of platform '{options.platform}' is not "
                         f"on this machine; what is known here: hubc status{on(options.platform)}")  # fmt: skip
    facts = report(backend.get(chosen(backend, options.run)), backend.state.storage_root)
    sys.stdout.write((json.dumps(facts, indent=2) if options.format == "json" else report_text(facts)) + "\n")
    return 0
