"""`hubc run`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from hubc.backends.local import LocalBackend
from hubc.backends.local.events import last_lines
from hubc.commands.plans import compiled_to_run
from hubc.display import LiveDisplay, PlainDisplay
from hubc.errors import RunFailedError, UsageError
from hubc.report import report, report_text
from hubc.repository import find_root, name_in
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from argparse import Namespace

    from hubc.runs import Run


def run(options: Namespace) -> int:
    """Run a plan on this machine, show on standard error how it goes, and print its report."""
    platform = load_platform("local", find_root(options.spec.parent))
    if platform.spec.local is None:
        raise UsageError("the platform 'local' in specs/platforms/ is a cluster; name it otherwise")
    root = find_root(options.spec.parent)
    plan = compiled_to_run(options.spec, platform)
    backend = LocalBackend(root, options.parallel or platform.spec.local.parallel_steps)
    display = LiveDisplay(sys.stderr) if sys.stderr.isatty() else PlainDisplay(sys.stderr)
    with display:
        done = backend.run(plan, name_in(root, options.spec), display, _complain)
    if done.state != "succeeded":
        raise RunFailedError(_failure(done, backend))
    facts = report(done, backend.state.storage_root)
    sys.stdout.write((json.dumps(facts, indent=2) if options.format == "json" else f"\n{report_text(facts)}") + "\n")
    return 0


def _complain(text: str) -> None:
    sys.stderr.write(f"hubc: {text}\n")


def _failure(done: Run, backend: LocalBackend) -> str:
    """Return why the run failed, the end of the failed step's log, and where the rest is."""
    lines = [done.reason]
    for step in done.steps:
        if step.state == "failed":
            for path in backend.state.logs(done.id, step.id):
                if tail := last_lines(path).lines:
                    lines += ["", f"the end of {path.name}:", *(f"    {line}" for line in tail)]
            lines += ["", f"all of it: hubc logs {done.id} --step {step.id}"]
    lines.append("finished steps are kept: run it again to go on from here")
    return "\n".join(lines)
