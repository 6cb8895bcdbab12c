"""Try out what steps will need: `python -m hub_steps.probe --request FILE|URI`.

Prints one line of JSON for each finding, and ends well however they are; a request that cannot be read ends with 2.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from hub_steps import storage
from hub_steps.contract import BadRequestError, StepError, faults
from hub_steps.endings import ending, tell
from hub_steps.probe.checks import findings
from hub_steps.probe.request import ProbeRequest

if TYPE_CHECKING:
    from hub_steps.contract import ExitCode


def main() -> ExitCode:
    """Read the command line, try out everything, and return how that ended."""
    parser = argparse.ArgumentParser(prog="python -m hub_steps.probe", description="Try out what steps will need.")
    parser.add_argument("--request", required=True, metavar="FILE", help="what to try out; a file or its URI")
    arguments = parser.parse_args()
    ended = ending(lambda: probe(arguments.request), arguments.request)
    tell(ended.error)
    return ended.code


def probe(source: str) -> None:
    """Print what is found, each line when it is known.

    Raises BadRequestError if there is no request, or one that asks for something else.
    """
    try:
        text = storage.read_text(source) if "://" in source else Path(source).read_text(encoding="utf-8")
        request = ProbeRequest.model_validate_json(text)
    except ValidationError as error:
        raise BadRequestError(f"bad request: {faults(error)}") from None
    except (OSError, ValueError, StepError) as error:
        raise BadRequestError(f"bad request: {error}") from None
    for finding in findings(request):
        sys.stdout.write(finding.line() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
