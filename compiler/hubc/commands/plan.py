"""`hubc plan`."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from hubc.colours import wanted
from hubc.errors import SpecError
from hubc.plan_views.shown import Shown
from hubc.repository import display_name, find_root
from hubc.reuse import decide_all, local_storage
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping
    from pathlib import Path

    from hubc.estimates.step import StepEstimate
    from hubc.plan import Plan
    from hubc.plan_views.difference import Difference
    from hubc.spec.platform import Platform


def run(options: Namespace) -> int:
    """Show what would run, what is reused, and why; against a revision, also what differs."""
    root = find_root(options.spec.parent)
    platform = load_platform(options.platform, root)
    plan = _plan(options.spec, platform, root)
    decisions = decide_all(plan, *local_storage(root)) if platform.spec.local else {}
    difference: Difference | None = None
    if options.against is not None:
        from hubc.plan_views.against import against

        difference = against(plan, options.spec, options.platform, options.against)
    shown = Shown(plan, decisions, _estimates(plan, platform, root), difference)
    sys.stdout.write(_show(shown, options.format) + "\n")
    return 0


def _plan(spec: Path, platform: Platform, root: Path) -> Plan:
    """Compile the spec; where there is no such file, but a pipeline of this name, the error names that one."""
    try:
        return load_plan(spec, platform)
    except SpecError as error:
        meant = root / "specs" / "pipelines" / f"{spec.name}.yaml"
        if spec.exists() or not meant.is_file():
            raise
        help = f"did you mean {display_name(meant)}?"
        raise SpecError([replace(found, help=help) for found in error.diagnostics]) from error


def _estimates(plan: Plan, platform: Platform, root: Path) -> Mapping[str, StepEstimate]:
    """Return what the steps are expected to need; where no model is asked, trained or on accelerators, that is nothing."""
    if not any(step.kind in ("generate", "train") or step.resources.devices for step in plan.steps):
        return {}
    from hubc.estimates.find_config import config_in_repository
    from hubc.plan_views.estimated import estimates_of

    config = config_in_repository(root, plan.model_config) if plan.model_config else None
    return estimates_of(plan, platform, config)


def _show(shown: Shown, format: str) -> str:
    """Return the plan in a format; only what shows that one is imported."""
    match format:
        case "json":
            from hubc.plan_views.json import plan_json

            return plan_json(shown)
        case "markdown":
            from hubc.plan_views.markdown import plan_markdown

            return plan_markdown(shown)
        case _:
            from hubc.plan_views.text import plan_text

            return plan_text(shown, colour=wanted(sys.stdout))
