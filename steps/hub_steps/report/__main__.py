"""Report on a run: `python -m hub_steps.report --request FILE --status Succeeded`, with the run's name in HUBC_RUN.

The exit handler of a Workflow runs it, with Argo's word for how the Workflow ended; `--status Running` tells of its start.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hub_steps.contract import RUN, ExitCode, faults, message, redact
from hub_steps.report.facts import STATES, find_run
from hub_steps.reporting import ReportRequest
from hub_steps.webhooks import notification, post

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub_steps.delivery import Fault
    from hub_steps.report.facts import RunFound


def main(words: Sequence[str] | None = None) -> ExitCode:
    """Tell everybody, and return 0 if all know, 75 if another try may help, and otherwise 1."""
    parser = argparse.ArgumentParser(prog="python -m hub_steps.report", description="Report on a run of a hubc plan.")
    parser.add_argument("--request", required=True, metavar="FILE", help="what to report, and to whom")
    parser.add_argument("--status", required=True, choices=list(STATES), help="what Argo says of the Workflow")
    arguments = parser.parse_args(words)
    try:
        request = ReportRequest.model_validate_json(Path(arguments.request).read_text(encoding="utf-8"))
        run = _run_name()
    except (OSError, ValueError) as error:
        _complain(f"bad request: {faults(error) if isinstance(error, ValidationError) else error}")
        return ExitCode.BAD_REQUEST
    found = find_run(request, run, arguments.status)
    untold = _tell(request, found)
    for text in [*found.faults, *(fault.text for fault in untold)]:
        _complain(text)
    if found.faults or any(fault.may_pass for fault in untold):
        return ExitCode.RETRY
    return ExitCode.FAILED if untold else ExitCode.DONE


def _run_name() -> str:
    name = os.environ.get(RUN, "")
    if not name:
        raise ValueError(f"the variable {RUN} does not say which run it is about")
    if not name.replace("-", "").isalnum():
        raise ValueError(f"'{name}' in {RUN} is not the name of a run")
    return name


def _tell(request: ReportRequest, found: RunFound) -> list[Fault]:
    """Tell one after the other; nobody is left out because another could not be told."""
    event = "started" if found.facts.state == "running" else found.facts.state
    untold = []
    for webhook in request.webhooks:
        if event in webhook.events:
            fault = post(webhook.url, webhook.authorization, notification(event, found.facts))
            untold += [fault] if fault else []
    if request.github:
        from hub_steps.report.github import tell_github

        untold += tell_github(request.github, request, found)
    message(f"told that the run is {found.facts.state}; could not tell {len(untold)}")
    return untold


def _complain(text: str) -> None:
    sys.stderr.write(f"error: {redact(text)}\n")


if __name__ == "__main__":
    sys.exit(main())
