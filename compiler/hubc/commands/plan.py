"""`hubc plan`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hubc.plan_text import plan_json, plan_text
from hubc.repository import find_root
from hubc.reuse import decide_all
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from argparse import Namespace


def run(options: Namespace) -> int:
    """Show what would run, what is reused, and why."""
    platform = load_platform(options.platform, find_root(options.spec.parent))
    plan = load_plan(options.spec, platform)
    decisions = {}
    if platform.spec.local:
        from hubc.backends.local.state import State

        decisions = decide_all(plan, State(find_root(options.spec.parent)).storage_root)
    show = plan_json if options.format == "json" else plan_text
    sys.stdout.write(show(plan, decisions) + "\n")
    return 0
