"""`hubc status`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.runs import backend_of, chosen
from hubc.display import duration, remark
from hubc.printable import printable

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from hubc.runs import PodRun, Run, StepRun


def run(options: Namespace) -> int:
    """Show a run and its steps."""
    backend = backend_of(options.platform)
    run = backend.get(chosen(backend, options.run))
    if options.format == "json":
        sys.stdout.write(run.model_dump_json(indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{printable(line)}\n" for line in _lines(run))
    return 0


def _lines(run: Run) -> Iterator[str]:
    yield f"{run.id}: {run.state}" + (f" ({run.reason})" if run.reason else "")
    if run.url:
        yield f"  {run.url}"
    width = max([15, *(len(step.id) for step in run.steps)])
    for step in run.steps:
        yield f"  {step.id:<{width}} {step.state:<10} {duration(step):>12}  {_note(step)}"
        for pod in step.pods:
            yield f"    {_pod(pod, is_one_of_several=len(step.pods) > 1)}"


def _note(step: StepRun) -> str:
    """Return how far a step is, or what there is to say of it, and at which attempt."""
    note = step.progress if step.state == "running" and step.progress else remark(step)
    attempt = f"attempt {step.attempts}" if step.attempts > 1 else ""
    return ": ".join(part for part in (attempt, note) if part)


def _pod(pod: PodRun, *, is_one_of_several: bool) -> str:
    """Return a pod on one line, with the reason why it waits or failed."""
    node = f"node {pod.node}, " if is_one_of_several else ""
    restarts = f", {pod.restarts} restart{'' if pod.restarts == 1 else 's'}" if pod.restarts else ""
    return f"{pod.name}: {node}{pod.phase}{restarts}" + (f": {pod.reason}" if pod.reason else "")
