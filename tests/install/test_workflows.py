"""The workflows in .github, as actionlint and zizmor judge them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JUDGES = {
    "actionlint": ["-no-color"],
    "zizmor": ["--offline", "--strict-collection", "--no-progress", "--persona", "auditor", ".github"],
}


@pytest.mark.parametrize("judge", JUDGES)
def test_nothing_is_found(judge: str) -> None:
    beside = Path(sys.executable).with_name(judge)
    program = str(beside) if beside.is_file() else shutil.which(judge)
    if program is None:
        pytest.skip(f"{judge} is not installed")
    workflows = sorted(str(path) for path in (ROOT / ".github/workflows").glob("*.yaml")) if judge == "actionlint" else []
    command = [program, *JUDGES[judge], *workflows]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
