"""Each rule with a spec that breaks it and nothing else, the message, and the nearest spec that breaks nothing.

A folder below `tests/data/rules` holds `bad*.yaml` with the golden `bad*.out`, and `good*.yaml`; a name that ends with
`-leaf` is a leaf. With a `platform.yaml` the specs are planned for that platform, with a `beside.yaml` validated together.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubc.errors import SpecError
from hubc.examine import examine
from hubc.formats import as_text
from hubc.rules import RULES
from hubc.workspace import load_platform, validate_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hubc.diagnostics import Diagnostic

PAIRS = Path(__file__).parents[1] / "data" / "rules"
BAD, GOOD = sorted(PAIRS.glob("*/bad*.yaml")), sorted(PAIRS.glob("*/good*.yaml"))


def findings(case: Path, repo: Path) -> Sequence[Diagnostic]:
    """Return what is found in a case, which stands with its companions in the repository's folder `wrong`."""
    folder = repo / "wrong"
    folder.mkdir()
    for other in case.parent.glob("*.yaml"):
        if not other.stem.startswith(("bad", "good")):
            shutil.copyfile(other, folder / other.name)
    file = folder / ("qna.yaml" if case.stem.endswith("-leaf") else case.name)
    shutil.copyfile(case, file)
    if (folder / "platform.yaml").exists():
        return examine(file, repo, load_platform("wrong/platform.yaml", repo), is_chosen=True).findings
    try:
        return validate_paths([file, *folder.glob("beside.yaml")])[1]
    except SpecError as error:
        return error.diagnostics


@pytest.mark.parametrize("case", BAD, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_bad(case: Path, repo: Path, golden: Callable[[Path, str], None]) -> None:
    found = findings(case, repo)
    assert {item.rule for item in found} == {case.parent.name}
    golden(case.with_suffix(".out"), as_text(found).replace(str(repo), "<repository>"))


@pytest.mark.parametrize("case", GOOD, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_good(case: Path, repo: Path) -> None:
    assert as_text(findings(case, repo)) == ""


def test_every_folder_has_both() -> None:
    folders = sorted(PAIRS.iterdir())
    assert {folder.name for folder in folders} <= set(RULES)
    assert sorted({case.parent for case in BAD}) == sorted({case.parent for case in GOOD}) == folders
    assert sorted(PAIRS.glob("*/*.out")) == [case.with_suffix(".out") for case in BAD]
