"""Files made to be costly to read: they are refused, or read, within bounds of memory and of what is looked at."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubc.errors import SpecError
from hubc.extends import load
from hubc.positions import MAX_EXCERPT
from hubc.reader import MAX_ERRORS, MAX_NODES
from hubc.silence import MAX_SILENCES, silence
from hubc.source import MAX_BYTES, parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MEMORY = 50_000_000
"""Bytes that Python may take to read one file; the parser's own buffers are about as large as the file."""


def fill(unit: str, head: str = "", tail: str = "") -> str:
    """Return a text of the largest size that is read, of one unit over and over."""
    return head + unit * ((MAX_BYTES - len((head + tail).encode())) // len(unit.encode())) + tail


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 60))
REFUSED = {
    "brackets": (fill("["), "yaml-too-deep"),
    "braces": (fill("{a: "), "yaml-too-deep"),
    "dashes": (fill("- "), "yaml-too-deep"),
    "question marks": (fill("? "), "yaml-key"),
    "anchors": (fill("&a "), "yaml-syntax"),
    "aliases": (fill("*a "), "yaml-anchor"),
    "tags": (fill("!a "), "yaml-tag"),
    "colons": (fill(": "), "yaml-syntax"),
    "tabs": (fill("\t"), "yaml-syntax"),
    "unclosed quote": (fill("x", "a: '"), "yaml-syntax"),
    "billion laughs": (LAUGHS, "yaml-too-large"),
    "aliases of a list": (fill("*a,", "a: &a [1, 2, 3, 4, 5]\nb: [", "]"), "yaml-too-large"),
    "keys": ("".join(f"k{number}:\n" for number in range(MAX_NODES)), "yaml-too-large"),
    "lines": (fill("- a\n", "a:\n"), "yaml-too-large"),
    "values in one line": (fill("a,", "a: [", "]"), "yaml-too-large"),
    "digits": (fill("1", "a: 0."), "yaml-number"),
    "documents": (fill("---\n"), "yaml-several-documents"),
    "directives": ("".join(f"%TAG !{number}! x\n" for number in range(20_000))[:MAX_BYTES], "yaml-syntax"),
    "directives of a second document": (fill("%TAG !a! x\n", "a: 1\n...\n"), "yaml-syntax"),
    "conflict": (fill("<<<<<<< a\n"), "yaml-merge-conflict"),
    "comments": (fill("#\n"), "yaml-not-a-mapping"),
    "numbers at fault in one line": (fill(".inf, ", "a: [", "]"), "yaml-number"),
    "tags at fault": (fill("- !x a\n", "a:\n"), "yaml-tag"),
    "duplicate keys": (fill("a: 1\n"), "yaml-duplicate-key"),
}
READ = {
    "one word": fill("x", "a: "),
    "one quoted text": fill("x", "a: '", "'"),
    "escapes": fill("\\u0041", 'a: "', '"'),
    "one block": fill("  x\n", "a: |\n"),
    "one folded text": fill("x\n ", "a: "),
    "wide characters": fill("🙂", "a: "),
    "empty lines": fill("\n", "a: 1"),
    "comments that silence": fill("# hubc: allow learning-rat-high -- x\n", "a: 1\n"),
    "rules in one comment": fill("b,", "a: 1 # hubc: allow ", " -- x"),
    "one long rule": fill("learning", "a: 1 # hubc: allow ", " -- x"),
    "comments in text": fill("'# hubc: allow x -- y',", "a: [", "]"),
}


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MAX_MEMORY


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    text, rule = REFUSED[case]
    file = tmp_path / "spec.yaml"
    file.write_text(text)
    assert file.stat().st_size <= MAX_BYTES
    with pytest.raises(SpecError) as caught:
        load(file, tmp_path)
    found = caught.value.diagnostics
    assert found[0].rule == rule
    assert len(found) <= MAX_ERRORS
    assert sum(len(item.excerpt) + len(item.message) + len(item.help) for item in found) < MAX_ERRORS * (MAX_EXCERPT + 200)


@pytest.mark.parametrize("case", READ)
def test_read(case: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(READ[case])
    assert file.stat().st_size <= MAX_BYTES
    found = silence([], [load(file, tmp_path)])
    assert len(found) <= MAX_SILENCES + 1
    assert all(len(item.message) < 200 and len(item.excerpt) <= MAX_EXCERPT for item in found)


@pytest.mark.parametrize(
    ("case", "num_calls"),
    [
        *((case, 5_000) for case in ("brackets", "braces", "dashes", "question marks", "digits")),
        *((case, 30 * MAX_NODES) for case in ("billion laughs", "keys", "lines", "documents", "directives")),
    ],
)
def test_reading_stops_early(case: str, num_calls: int) -> None:
    number = 0

    def count(*_: object) -> None:
        nonlocal number
        number += 1

    sys.setprofile(count)
    try:
        with pytest.raises(SpecError):
            parse_text(REFUSED[case][0], "f")
    finally:
        sys.setprofile(None)
    assert 0 < number < num_calls


def test_file_of_the_largest_size_is_read_and_no_larger_one(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(READ["one word"])
    assert file.stat().st_size == MAX_BYTES
    load(file, tmp_path)
    file.write_text(READ["one word"] + "\n")
    with pytest.raises(SpecError) as caught:
        load(file, tmp_path)
    assert caught.value.diagnostics[0].rule == "unreadable-file"


def test_device_that_never_ends() -> None:
    with pytest.raises(SpecError) as caught:
        load(Path("/dev/zero"), Path("/"))
    assert caught.value.diagnostics[0].message == "this is not a regular file"


@pytest.mark.parametrize("rule", ["unknown-key", "secret-literal"])
def test_many_diagnostics_of_one_line(rule: str) -> None:
    number = 5000
    source = parse_text("{" + ", ".join(f"k{i}: 1" for i in range(number)) + "}", "f")
    found = [source.diagnostic((f"k{i}",), rule, "message", "help") for i in range(number)]
    assert sum(len(item.excerpt) for item in found) < number * MAX_EXCERPT
    assert len({item.column for item in found}) == number
