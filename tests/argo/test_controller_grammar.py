"""The small languages that Workflows are written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from argo_controller.conditions import ConditionError, parse
from argo_controller.expressions import ExpressionError, condition, depends, when
from argo_controller.places import Places
from argo_controller.tags import UnresolvedError, fill

if TYPE_CHECKING:
    from pathlib import Path

OBJECT = {"status": {"state": "Done", "ready": 2, "empty": None, "conditions": [{"type": "Failed"}]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status.state == Done", True), ("status.state=Done", True), ("status.state != Done", False),
        ("status.nothing != Done", True), ("status.conditions.0.type in (Failed, Other)", True),
        ("status.conditions.1.type notin (Failed)", True), ("status.ready > 1", True), ("status.ready < 2", False),
        ("status.state > 1", False), ("status.empty", True), ("!status.nothing", True), ("status.nothing > 0", False),
        ("status.state == Done, status.ready == 3", False),
    ],
)  # fmt: skip
def test_conditions(text: str, expected: bool) -> None:
    assert all(part.holds(OBJECT) for part in parse(text)) is expected


@pytest.mark.parametrize("text", ["status.conditions.#(type==Failed).status == True", "a == b c", "a in b"])
def test_conditions_that_do_not_parse(text: str) -> None:
    with pytest.raises(ConditionError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("run == run", True), ("run == done", False), ("'a b' != \"a b\"", False), ("a == a && (b == c || !(1 > 2))", True)],
)
def test_when(text: str, expected: bool) -> None:
    assert when(text) is expected


@pytest.mark.parametrize("text", ["a-b == a-b", "run ==", "run", "(a == a", "a == a b"])
def test_when_that_does_not_parse(text: str) -> None:
    with pytest.raises(ExpressionError):
        when(text)


def test_depends_and_retry() -> None:
    assert depends("step-1 && (!b.Failed || c)", lambda word: word in ("step-1", "c"))
    expression = 'lastRetry.status == "Error" || asInt(lastRetry.exitCode) in [75, 143]'
    for status, code, expected in (("Error", "-1", True), ("Failed", "143", True), ("Failed", "1", False)):
        assert condition(expression, {"lastRetry.status": status, "lastRetry.exitCode": code}) is expected


def test_tags() -> None:
    values = {"a": "1", "b": "{{a}}", "c.1": "x"}
    assert fill({"k": ["{{a}} {{ b }}", 3]}, values) == {"k": ["1 1", 3]}
    assert fill("{{c.{{a}}}}", values) == "x"
    assert fill("{{tasks.x}}", values, ("tasks.",)) == "{{tasks.x}}"
    with pytest.raises(UnresolvedError, match="failed to resolve"):
        fill("{{d}}", values)


def test_places(tmp_path: Path) -> None:
    paths = {"/storage": tmp_path / "s", "/tmp": tmp_path / "t", "/hubc": tmp_path / "h"}
    places = Places(paths, {"8081": 40001}, ["t-0.t"], str(tmp_path))
    top = str(tmp_path)
    for text, expected in {
        "file:///storage/outputs": f"file://{top}/s/outputs", "--todo=/tmp/todo": f"--todo={top}/t/todo",
        "open('/hubc/plan.json')": f"open('{top}/h/plan.json')", "s3://b/storage/x": "s3://b/storage/x",
        f"{top}/storage": f"{top}/storage", "/storage2": "/storage2", "http://127.0.0.1:8081/v1": "http://127.0.0.1:40001/v1",
        "t-0.t": "127.0.0.1", "at-0.t": "at-0.t", "18081": "18081",
    }.items():  # fmt: skip
        assert places.text(text) == expected
