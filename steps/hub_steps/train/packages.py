"""Packages that a user's script needs, installed by pip into a folder that only this step sees."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from hub_steps.contract import BadRequestError, RetryableError, StepError, message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def canonical(requirement: str) -> str:
    """Return the name in a requirement as PEP 503 compares names."""
    found = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def check_names(packages: Sequence[str]) -> None:
    """Raise BadRequestError if a package is named twice, however it is spelt, or a requirement names none."""
    seen: dict[str, str] = {}
    for requirement in packages:
        name = canonical(requirement)
        if not name:
            raise BadRequestError(f"custom.packages: '{requirement}' is not a requirement; write it as NAME==VERSION")
        if name in seen:
            raise BadRequestError(f"custom.packages: '{seen[name]}' and '{requirement}' name the same package")
        seen[name] = requirement


def install(packages: Sequence[str], index_urls: Sequence[str], folder: Path) -> None:
    """Install `packages`, in their order, into `folder`: what is named and what else is missing, nothing that is there.

    Raises RetryableError if pip could not fetch them, and StepError if there are no such packages.
    """
    check_names(packages)
    message(f"installing {', '.join(packages)}")
    indexes = [argument for number, url in enumerate(index_urls)
               for argument in ("--extra-index-url" if number else "--index-url", url)]  # fmt: skip
    report = folder.with_suffix(".json")
    # What the step has already satisfies a requirement: only the rest would be installed.
    _pip(["--dry-run", "--report", str(report), *indexes, *packages], packages)
    wanted = [
        f"{entry['metadata']['name']}=={entry['metadata']['version']}"
        for entry in json.loads(report.read_text(encoding="utf-8"))["install"]
    ]
    if wanted:
        _pip(["--target", str(folder), "--no-deps", *indexes, *wanted], packages)


def _pip(arguments: list[str], packages: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if not done.returncode:
        return
    told = done.stderr.splitlines() or ["no output"]
    lines = [line for line in told if line.startswith("ERROR")] or told
    unreachable = "connection" in done.stderr.lower()
    kind = StepError if "No matching distribution" in done.stderr and not unreachable else RetryableError
    raise kind(f"pip could not install {', '.join(packages)}: {lines[-1].removeprefix('ERROR: ')}")
