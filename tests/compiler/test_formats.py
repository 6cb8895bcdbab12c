"""Diagnostics for people and for programs: every format of the same findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft7Validator, FormatChecker

from hubc.diagnostics import Diagnostic
from hubc.formats import as_github, as_json, as_sarif, as_text
from hubc.formats.text import WAITING
from hubc.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"
DATA = Path(__file__).parents[1] / "data" / "sarif"
FOUND = [
    Diagnostic("specs/a.yaml", 7, 5, "unknown-key", "unknown key 'learnin_rate'", "did you mean 'learning_rate'?", 12,
               "    learnin_rate: 2e-4"),
    Diagnostic("specs/a.yaml", 12, 3, "learning-rate-high", "100% too high: 5, say", "lower it", 8, "\t\tweird: 名前 x"),
    Diagnostic("specs/odd name,%:.yaml", 100, 1, "missing-key", "the key 'spec' is missing", "add it"),
]  # fmt: skip


def excerpt(line: str, column: int, length: int) -> list[str]:
    """Return the line as it is shown, and the line with the caret."""
    text = as_text([Diagnostic("f", 1, column, "yaml-tag", "m", "h", length, line)])
    return [shown.partition("| ")[2] for shown in text.splitlines()[2:4]]


def test_text(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "diagnostics.txt", as_text(FOUND))


def test_text_in_colour(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "diagnostics.colour.txt", as_text(FOUND, colour=True).replace("\x1b", "<ESC>"))


def test_no_text_for_nothing() -> None:
    assert as_text([]) == ""


@pytest.mark.parametrize(
    ("line", "column", "length", "marked"),
    [
        ("key: value", 6, 5, "value"),
        ("\tkey: value", 7, 5, "value"),
        ("名前: value", 5, 5, "value"),
        ("e\u0301e\u0301: value", 7, 5, "value"),
        ("🙂 \x1b[31m: value", 10, 5, "value"),
        ("key: 名前", 6, 2, "名前"),
        ("key: value  ", 6, 5, "value"),
    ],
)
def test_caret_stands_below_what_it_marks(line: str, column: int, length: int, marked: str) -> None:
    shown, carets = excerpt(line, column, length)
    wide = sum(2 if ord(c) > 0x2E80 else 0 if ord(c) == 0x301 else 1 for c in shown.partition(marked)[0])
    assert carets == " " * wide + "^" * (2 * len(marked) if marked == "名前" else len(marked))
    assert shown.isprintable()


def test_caret_at_the_end_of_a_line() -> None:
    assert excerpt("key:", 5, 1) == ["key:", "    ^"]


@pytest.mark.parametrize("column", [1, 30, 500, 995])
def test_long_line_is_cut_around_the_fault(column: int) -> None:
    line = "x" * (column - 1) + "FAULT" + "y" * (1000 - column)
    shown, carets = excerpt(line, column, 5)
    assert len(shown) <= 102
    assert shown[carets.index("^") :][: carets.count("^")] == "FAULT"


def test_many_are_cut_for_people_only() -> None:
    found = [Diagnostic("f", line, 1, "yaml-tag", "m", "h") for line in range(1, 151)]
    assert as_text(found).count("[yaml-tag]") == 100
    last = "and 50 more; all of them: hubc validate --format json\n\n150 errors in 1 file\n" + WAITING
    assert as_text(found).endswith(last)
    assert len(json.loads(as_json(found))) == as_github(found).count("\n") == 150
    assert len(json.loads(as_sarif(found))["runs"][0]["results"]) == 150


def test_json() -> None:
    first, second, _ = json.loads(as_json(FOUND))
    assert first == {
        "file": "specs/a.yaml",
        "line": 7,
        "column": 5,
        "length": 12,
        "severity": "error",
        "rule": "unknown-key",
        "message": "unknown key 'learnin_rate'",
        "help": "did you mean 'learning_rate'?",
    }
    assert second["severity"] == "warning"


def test_github(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "diagnostics.github.txt", as_github(FOUND))


def test_github_command_cannot_be_forged() -> None:
    forged = Diagnostic("a\n::error::b.yaml", 1, 1, "yaml-tag", "x\r\n::error::y", "z\n::error::w")
    assert as_github([forged]).count("\n") == 1
    assert "\r" not in as_github([forged])


def test_sarif_of_nothing_and_of_something() -> None:
    assert json.loads(as_sarif([]))["runs"][0]["results"] == []
    (run,) = json.loads(as_sarif(FOUND))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert run["columnKind"] == "unicodeCodePoints"
    for found, result in zip(FOUND, run["results"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == found.rule
        assert result["level"] == rules[result["ruleIndex"]]["defaultConfiguration"]["level"] == found.severity
        place = result["locations"][0]["physicalLocation"]
        assert unquote(place["artifactLocation"]["uri"]) == found.file
        assert place["artifactLocation"]["uriBaseId"] in run["originalUriBaseIds"]
        assert place["region"]["endColumn"] == found.column + found.length
    assert place["artifactLocation"]["uri"] == "specs/odd%20name%2C%25%3A.yaml"


@pytest.mark.parametrize("found", [[], FOUND], ids=["nothing", "something"])
def test_sarif_is_as_its_schema_says(found: list[Diagnostic]) -> None:
    schema = json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
    faults = Draft7Validator(schema, format_checker=FormatChecker()).iter_errors(json.loads(as_sarif(found)))
    assert [fault.message for fault in faults] == []


@pytest.mark.parametrize("file", ["/elsewhere/a b.yaml", "../elsewhere/a b.yaml"])
def test_sarif_of_a_file_elsewhere(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (run,) = json.loads(as_sarif([Diagnostic(file, 1, 1, "yaml-tag", "m", "h")]))["runs"]
    artifact: dict[str, Any] = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert list(artifact) == ["uri"]
    assert artifact["uri"].startswith("file:///")
    assert artifact["uri"].endswith("/elsewhere/a%20b.yaml")
    assert ".." not in artifact["uri"]
