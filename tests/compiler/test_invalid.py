"""Wrong specs and leaves: the exact messages, compared with the `.out` file beside each."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubc.errors import SpecError
from hubc.formats import as_text
from hubc.workspace import LOCAL, load_plan, validate_paths

if TYPE_CHECKING:
    from collections.abc import Callable

ON_A_PLATFORM = ("above-limits", "no-accelerator")
"""What is wrong only where the plan is to run."""
CASES = sorted((Path(__file__).parent.parent / "data" / "invalid").glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_messages_of_a_wrong_file(case: Path, repo: Path, golden: Callable[[Path, str], None]) -> None:
    file = Path("wrong", "qna.yaml" if case.stem.startswith("leaf-") else case.name)
    file.parent.mkdir()
    shutil.copyfile(case, file)
    with pytest.raises(SpecError) as caught:
        if case.stem in ON_A_PLATFORM:
            load_plan(file, LOCAL)
        else:
            validate_paths([file])
    found = caught.value.diagnostics
    assert found == sorted(found)
    golden(case.with_suffix(".out"), as_text(found).replace(str(repo), "<repository>"))


def test_every_golden_has_its_case() -> None:
    assert sorted(path.stem for path in CASES[0].parent.glob("*.out")) == sorted(case.stem for case in CASES)
