"""Run one step: `python -m hub_steps KIND --request FILE`, where FILE may be a `file://` or `s3://` URI.

`--request env:NAME` takes the request from a variable.
"""

from __future__ import annotations

import argparse
import os
import sys

from hub_steps.contract import PARAMETERS
from hub_steps.runner import run


def main() -> int:
    """Read the command line, run the step and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m hub_steps", description="Run one step of a hubc plan.")
    parser.add_argument("kind", choices=sorted(PARAMETERS))
    parser.add_argument("--request", required=True, metavar="FILE", help="request file, its URI, or env:NAME for a variable")
    arguments = parser.parse_args()
    return run(arguments.kind, arguments.request)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Requests that are still under way in threads must not hold up a step that has ended.
    os._exit(code)
