"""What is looked up once while many specs are checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hubc.errors import SpecError
from hubc.lookups import MAX_RESULTS, remembered, remembering
from hubc.workspace import validate_paths

ROOT = Path(__file__).parents[2]

calls: list[int] = []


@remembered
def double(number: int) -> int:
    calls.append(number)
    if number < 0:
        raise ValueError("negative")
    return 2 * number


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def test_nothing_is_remembered_by_itself() -> None:
    assert [double(1), double(1)] == [2, 2]
    assert calls == [1, 1]


def test_same_arguments_once() -> None:
    with remembering():
        assert [double(1), double(2), double(1)] == [2, 4, 2]
    assert calls == [1, 2]
    assert double(1) == 2
    assert calls == [1, 2, 1]


def test_errors_are_not_remembered() -> None:
    with remembering():
        for _ in range(2):
            with pytest.raises(ValueError, match="negative"):
                double(-1)
    assert calls == [-1, -1]


def test_bounded() -> None:
    with remembering():
        for number in (*range(MAX_RESULTS + 1), MAX_RESULTS, 0):
            assert double(number) == 2 * number
    assert calls == [*range(MAX_RESULTS + 1), 0]


def test_a_mended_leaf_is_read_anew(tmp_path: Path) -> None:
    (tmp_path / ".hubc").mkdir()
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    leaf = next((tmp_path / "specs" / "taxonomy").rglob("qna.yaml"))
    text = leaf.read_text(encoding="utf-8")
    spec = tmp_path / "specs" / "pipelines" / "quickstart.yaml"
    leaf.write_text(text.replace("version: 3", "version: 4"), encoding="utf-8")
    with pytest.raises(SpecError, match="1 diagnostics"):
        validate_paths([spec])
    leaf.write_text(text, encoding="utf-8")
    assert validate_paths([spec])[0] == 1
