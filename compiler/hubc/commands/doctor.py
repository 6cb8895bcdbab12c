"""`hubc doctor`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from hubc.colours import paint, wanted
from hubc.commands.plans import compiled
from hubc.doctor import examine
from hubc.errors import UsageError
from hubc.printable import printable
from hubc.repository import find_root
from hubc.workspace import load_platform

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from hubc.colours import Colour
    from hubc.doctor import Finding
    from hubc.doctor.finding import State

STATES: dict[State, Colour] = {"good": "cyan", "bad": "red", "unknown": "yellow"}


def run(options: Namespace) -> int:
    """Say of everything that runs on a platform need how it is; 1 if something is bad."""
    root = find_root(options.spec.parent if options.spec else Path.cwd())
    platform = load_platform(options.platform, root)
    if options.probe and platform.spec.argo is None:
        raise UsageError(f"platform '{platform.metadata.name}' is this machine: there is no pod to probe it with")
    plan = compiled(options.spec, platform) if options.spec else None
    with closing(examine(platform, plan, probe=options.probe)) as findings:
        found = _as_json(findings) if options.format == "json" else _as_text(findings)
    return int("bad" in found)


def _as_json(findings: Iterable[Finding]) -> set[State]:
    found = [asdict(finding) for finding in findings]
    sys.stdout.write(json.dumps({"findings": found}, indent=2) + "\n")
    return {finding["state"] for finding in found}


def _as_text(findings: Iterable[Finding]) -> set[State]:
    """Print each finding when it is there: some take a while."""
    count: Counter[State] = Counter()
    colour = wanted(sys.stdout)
    for finding in findings:
        count[finding.state] += 1
        start = paint(f"{finding.state:<7}", STATES[finding.state], colour)
        sys.stdout.write(f"{start}  {printable(_line(finding))}\n")
        sys.stdout.flush()
    sys.stdout.write(f"\n{', '.join(f'{count[state]} {state}' for state in STATES)}\n")
    return set(count)


def _line(finding: Finding) -> str:
    said = f"{finding.subject}: {finding.text}" if finding.text else finding.subject
    return f"{said}; {finding.remedy}" if finding.remedy and finding.state != "good" else said
