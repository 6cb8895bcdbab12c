"""What the commands that compile a plan share."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from hubc.errors import SpecError
from hubc.origin import Origin
from hubc.repository import find_root, name_in
from hubc.workspace import load_plan

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from hubc.plan import Plan
    from hubc.spec.platform import Platform

REFUSED = "unavailable"
"""The rule over what can be planned and rendered, and not be run."""


def compiled(spec: Path, platform: Platform) -> Plan:
    """Return the plan of a spec, and show its warnings on standard error."""
    plan = load_plan(spec, platform)
    _show_warnings(plan)
    return plan


def compiled_to_run(spec: Path, platform: Platform) -> Plan:
    """Return the plan of a spec as `compiled` does; raises SpecError if it asks for what this version cannot do."""
    plan = load_plan(spec, platform)
    if any(found.rule == REFUSED for found in plan.warnings):
        raise SpecError([replace(found, is_refused=found.rule == REFUSED) for found in plan.warnings])
    _show_warnings(plan)
    return plan


def origin_of(options: Namespace) -> Origin:
    """Return where a plan comes from, as the command line says; raises UsageError if that cannot be."""
    spec = name_in(find_root(options.spec.parent), options.spec)
    return Origin(spec, options.commit, options.pull_request, options.repository)


def _show_warnings(plan: Plan) -> None:
    if plan.warnings:
        from hubc.colours import wanted
        from hubc.formats import as_text

        sys.stderr.write(as_text(plan.warnings, colour=wanted(sys.stderr)))
