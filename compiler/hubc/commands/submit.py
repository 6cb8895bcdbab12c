"""`hubc submit`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.commands.plans import compiled_to_run, origin_of
from hubc.commands.runs import backend_for, finished, on, show
from hubc.errors import HubcError
from hubc.repository import display_name, find_root
from hubc.runs import ENDED
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from argparse import Namespace

    from hubc.plan import Plan


def run(options: Namespace) -> int:
    """Start a plan on a platform, unless it is under way or has succeeded there; with `--wait`, wait for its end."""
    root = find_root(options.spec.parent)
    platform = load_platform(options.platform, root)
    plan = compiled_to_run(options.spec, platform)
    _require_digest(plan, options)
    origin = origin_of(options)
    backend = backend_for(platform, root, origin)
    if platform.spec.argo is not None:
        from hubc.backends.argo import warnings

        sys.stderr.writelines(f"hubc: warning: {warning}\n" for warning in warnings(plan, platform))
    run = backend.submit(plan, origin.spec)
    if options.wait:
        return finished(backend.wait(run.id, None), options)
    has_ended = run.state in ENDED
    show(run, options, "; it was done before, and nothing was started" if has_ended else
         f"; follow it with: hubc logs -f {run.id}{on(options.platform)}")  # fmt: skip
    return 0


def _require_digest(plan: Plan, options: Namespace) -> None:
    """Raise HubcError if the plan is not the one that somebody has seen."""
    expected = options.expect_digest
    if expected is not None and not plan.digest.startswith(expected):
        raise HubcError(
            f"nothing was started: the plan is not the expected one\n"
            f"  expected {expected}\n"
            f"  it is    {plan.digest}\n"
            f"see what differs from the revision that was reviewed: "
            f"hubc plan {display_name(options.spec)} --platform {options.platform} --against REV"
        )
