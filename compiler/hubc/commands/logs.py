"""`hubc logs`."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from hubc.commands.runs import backend_of, chosen, on
from hubc.errors import UsageError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator

    from hubc.backends import Backend


def run(options: Namespace) -> int:
    """Show what the steps of a run printed."""
    backend = backend_of(options.platform)
    name = chosen(backend, options.run)
    steps = {step.id: step for step in backend.get(name).steps}
    if options.step is not None and options.step not in steps:
        raise UsageError(f"run '{name}' has no step '{options.step}'; it has: {', '.join(steps)}")
    for step in steps.values():
        if step.reused_from and options.step in (None, step.id):
            hint = f"its log: hubc logs {step.reused_from} --step {step.id}{on(options.platform)}"
            sys.stderr.write(f"hubc: {step.id} was reused; {hint}\n")
    for line in _lines(backend, name, options):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


def _lines(backend: Backend, name: str, options: Namespace) -> Iterator[str]:
    if options.tail is None:
        yield from backend.logs(name, options.step, follow=options.follow)
        return
    there = list(backend.logs(name, options.step, follow=False))
    yield from _last(there, options.tail)
    if options.follow:
        # Steps and nodes come in any order, so what was there already is known by its text.
        left = Counter(there)
        for line in backend.logs(name, options.step, follow=True):
            if left[line]:
                left[line] -= 1
            else:
                yield line


def _last(lines: Iterable[str], number: int) -> Iterator[str]:
    """Yield the last lines of each node of a step; its name stands before the line."""
    found: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=number))
    for line in lines:
        found[line.partition(" | ")[0]].append(line)
    for last in found.values():
        yield from last
