"""YAML text to data and positions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hubc.errors import SpecError
from hubc.positions import MAX_EXCERPT, Location
from hubc.source import MAX_DEPTH, MAX_NODES, parse_text
from hubc.spec.document import read_spec

SPECS = [path.read_text() for path in sorted((Path(__file__).parents[2] / "specs").rglob("*.yaml"))]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("5E+3", 5000.0),
        (".5", 0.5),
        ("-1.", -1.0),
        ("0o17", 15),
        ("0x1f", 31),
        ("017", 17),
        ("+3", 3),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("No", "No"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("2024-05-01", "2024-05-01"),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0b101", "0b101"),
        ("-0x1f", "-0x1f"),
        ("1.2.3", "1.2.3"),
        ("4.1.2", "4.1.2"),
        ("1e5x", "1e5x"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("=", "="),
    ],
)
def test_scalars_of_the_core_schema(text: str, value: object) -> None:
    found = parse_text(f"key: {text}\n", "f").data["key"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("text", ["! 1", "!!int '1'", "!!str {}", "!x y", "!!python/name:os.system ''"])
def test_other_tags_are_refused(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_text(f"key: {text}\n", "f")
    assert [(found.rule, found.column) for found in caught.value.diagnostics] == [("yaml-tag", 6)]


def test_keys_are_text() -> None:
    assert parse_text("1: a\ntrue: b\nnull: c\non: d\n", "f").data == {"1": "a", "true": "b", "null": "c", "on": "d"}


def test_positions_of_keys_and_values() -> None:
    source = parse_text("# comment\nspec:\n  model: {location:  x}\n  list:\n    - a\n    -  b: 1\n", "f")
    assert source.position(("spec",), key=True) == (2, 1)
    assert source.position(("spec",)) == (3, 3)
    assert source.position(("spec", "model", "location"), key=True) == (3, 11)
    assert source.position(("spec", "model", "location")) == (3, 22)
    assert source.position(("spec", "list", 0)) == (5, 7)
    assert source.position(("spec", "list", 1, "b")) == (6, 11)


def test_position_of_what_is_not_written_is_the_parent() -> None:
    source = parse_text("spec:\n  model:\n    location: x\n", "f")
    assert source.position(("spec", "model", "revision")) == (2, 3)
    assert source.position(("spec", "train", "seed")) == (1, 1)
    assert source.position(("metadata",)) == (1, 1)


def test_columns_count_characters() -> None:
    assert parse_text("{é€🙂: a, b: c}", "f").position(("b",), key=True) == (1, 10)


def test_alias_gives_a_copy_at_its_own_place() -> None:
    source = parse_text("a: &x {k: [1]}\nb: *x\nc: [*x]\n", "f")
    assert source.data == {"a": {"k": [1]}, "b": {"k": [1]}, "c": [{"k": [1]}]}
    assert source.data["a"]["k"] is not source.data["b"]["k"]
    assert source.position(("b",)) == (2, 4)
    assert source.position(("b", "k", 0)) == (2, 1)


def test_nesting_and_size_at_the_limit() -> None:
    levels = MAX_DEPTH - 1
    assert parse_text("a: " + "[" * levels + "]" * levels, "f").data
    assert len(parse_text(f"a: [{'x,' * (MAX_NODES - 3)}]", "f").data["a"]) == MAX_NODES - 3
    with pytest.raises(SpecError):
        parse_text(f"a: [{'x,' * (MAX_NODES - 2)}]", "f")


@pytest.mark.parametrize(
    ("text", "rule", "place", "length", "excerpt"),
    [
        ("a: 1\n\tb: 2\n", "yaml-syntax", (2, 1), 1, "\tb: 2"),
        ("a:\n-\tb: 1\n", "yaml-syntax", (2, 2), 1, "-\tb: 1"),
        ("a: |\n\tb\n", "yaml-syntax", (2, 1), 1, "\tb"),
        ("a: 1\n<<<<<<< HEAD\nb: 2\n=======\nb: 3\n>>>>>>> x\n", "yaml-merge-conflict", (2, 1), 12, "<<<<<<< HEAD"),
        ("a: 1\r\n||||||| 1f2e3d\r\nb: 2\r\n", "yaml-merge-conflict", (2, 1), 14, "||||||| 1f2e3d"),
        ("{a: 1,\n=======\nb: 2}\n", "yaml-merge-conflict", (2, 1), 7, "======="),
        ("%YAML 1.1\n---\na: 1\n", "yaml-syntax", (1, 1), 9, "%YAML 1.1"),
        ("a: 1\n--- # next\nb: 2\n", "yaml-several-documents", (2, 1), 3, "--- # next"),
        ("a: 1\nbcd:  2\n'bcd': 3\n", "yaml-duplicate-key", (3, 1), 5, "'bcd': 3"),
        ("a: [1, *bcd]\n", "yaml-anchor", (1, 8), 4, "a: [1, *bcd]"),
        ("a: &b [*b]\n", "yaml-anchor", (1, 8), 2, "a: &b [*b]"),
        ("a:  .inf  # much\n", "yaml-number", (1, 5), 4, "a:  .inf  # much"),
        ("<<: *a\n", "yaml-merge-key", (1, 1), 2, "<<: *a"),
        ("a: [\n\n\n", "yaml-syntax", (1, 4), 1, "a: ["),
        ("a: b\0c\n", "yaml-character", (1, 5), 1, "a: b\0c"),
        ("# nothing\n", "yaml-not-a-mapping", (1, 1), 1, ""),
        ("- a\n", "yaml-not-a-mapping", (1, 1), 1, ""),
    ],
)
def test_faults_show_their_line(text: str, rule: str, place: tuple[int, int], length: int, excerpt: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_text(text, "f")
    found = caught.value.diagnostics[0]
    assert (found.rule, (found.line, found.column), found.length, found.excerpt) == (rule, place, length, excerpt)


SYNTAX = [
    ("s:\n    a: 1\n   b: 2\n", 3, "b: 2", "this line is indented by 3 spaces; the lines before it by 4"),
    ("s:\n    a: 1\n     b: 2\n", 3, "b: 2", "this line is indented by 5 spaces; the lines before it by 4"),
    (
        "s:\n    a:\n        c: 1\n      b: 2\n",
        4,
        "b: 2",
        "this line is indented by 6 spaces; the lines before it by 4 or 8",
    ),
    ("a:\n  - x\n  b: 1\n", 3, "b: 1", "this line stands among the items of a list"),
    ("t:\n  a: 1\n  num_epochs:3\n  b: 4\n", 3, "num_epochs:", "a space is missing after ':'"),
    ("t:\n  num_epochs:3\n  b: 4\n", 2, "num_epochs:", "a space is missing after ':'"),
    ("t:\n  a: 1\n  num_epochs 3\n  b: 4\n", 3, "num_epochs", "a ':' is missing after the key"),
    ("t:\n  num_epochs 3\n  b: 4\n", 2, "num_epochs", "a ':' is missing after the key"),
    ("a:\n  - x\n  -b\nc: 1\n", 3, "-", "a space is missing after '-'"),
    ("a: 'x\nb: 2\nc: 3\n", 1, "'", "this quote is never closed"),
    ("a: 'x\nb: 2\nc: 'y'\nd: 3\n", 1, "'", "this quote is not closed on its line"),
    ("a: 'it's'\nb: 2\n", 1, "s", "text stands after the closing quote"),
    ("a: {x: 1\nb: 2\n", 1, "{", "this '{' is never closed"),
    ("a: [x, y\nb: 2\n", 1, "[", "this '[' is never closed"),
    ("a: {x: [1, 2}\n", 1, "}", "'[' is closed by '}'"),
    ("a: {x: 1 y: 2}\n", 1, ":", "a ',' is missing before this"),
    ("a: 1\n]\n", 2, "]", "']' closes nothing"),
    ("a: b: c\n", 1, ":", "': ' stands inside a value"),
    ("a: @x\n", 1, "@", "text cannot start with '@'"),
    ('a: "\\d"\n', 1, "\\d", "this is no escape of YAML"),
    ("s:\n  a: 1\n  b:\u00a01\n  c: 2\n", 3, "\u00a0", "the character U+00A0 looks like a space and is none"),
    ("s:\n  \u00a0b: 1\n", 2, "\u00a0", "the character U+00A0 looks like a space and is none"),
    ("a: {{ x }}\n", 1, "{{", "'{{' would be a template tag, and a spec cannot hold one"),
    ("a: {{x}}/y\n", 1, "{{", "'{{' would be a template tag, and a spec cannot hold one"),
    ("a: *\n", 1, "", "while scanning an alias did not find expected alphabetic or numeric character"),
]


@pytest.mark.parametrize(("text", "line", "marked", "message"), SYNTAX)
def test_syntax_errors_say_what_to_mend(text: str, line: int, marked: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_text(text, "f")
    found = caught.value.diagnostics[0]
    assert (found.line, found.message) == (line, message)
    assert found.excerpt[found.column - 1 :][: found.length] == marked


def test_a_non_breaking_space_may_stand_in_text() -> None:
    assert parse_text("a: Qui\u00a0? non\nb: 'c:\u00a0d'\n", "f").data == {"a": "Qui\u00a0? non", "b": "c:\u00a0d"}


@pytest.mark.parametrize(
    ("location", "key", "marked"),
    [
        (("model",), True, "model"),
        (("model",), False, "'x'"),
        (("text",), False, "a b"),
        (("text",), True, '"text"'),
        (("block",), False, "|"),
        (("flow",), False, "&x {k: [1, 2]}"),
        (("flow", "k"), False, "[1, 2]"),
        (("list",), False, "- one: 1"),
        (("list", 0, "one"), False, "1"),
        (("list", 0, "two"), False, "[3,"),
        (("list", 0, "none"), False, "one: 1"),
        (("empty",), False, " "),
        (("alias",), False, "*x"),
        (("alias", "k", 0), False, "alias"),
    ],
)
def test_what_is_marked_in_a_line(location: Location, key: bool, marked: str) -> None:
    text = (
        "model: 'x' # note\n\"text\":   a b\n  c\nblock: |  # note\n  d\nflow: &x {k: [1, 2]}\n"
        "list:\n- one: 1 # note\n  two: [3, # note\n  4]\nempty: \nalias: *x\n"
    )
    source = parse_text(text, "f")
    found = source.diagnostic(location, "unknown-key", "message", "help", key=key)
    assert found.excerpt == text.split("\n")[found.line - 1]
    assert found.excerpt[found.column - 1 :][: found.length] == marked


def test_long_line_shows_its_start() -> None:
    source = parse_text(f"{{a: {'x' * 500}, b: 1}}", "f")
    first, second = (source.diagnostic((key,), "unknown-key", "m", "h") for key in "ab")
    assert (first.column, first.length, len(first.excerpt)) == (5, MAX_EXCERPT - 4, MAX_EXCERPT)
    assert (second.column, second.length, second.excerpt) == (510, 1, "")


@pytest.mark.parametrize(
    "line",
    [
        "{token: hf_" + "a" * 40 + ", b: 1}",
        "{b: 1, padding: " + "x" * 170 + ", token: hf_" + "a" * 40 + "}",
    ],
)
def test_excerpt_holds_no_credential(line: str) -> None:
    found = parse_text(line, "f").diagnostic(("b",), "unknown-key", "m", "h", key=True)
    assert found.excerpt
    assert "aaa" not in found.excerpt
    assert len(found.excerpt) == min(len(line), MAX_EXCERPT)


def test_excerpt_of_what_is_secret_by_its_place() -> None:
    source = parse_text("key:\n  - 'not to be seen'\n", "f")
    assert source.diagnostic(("key", 0), "secret-literal", "m", "h").excerpt == "  - " + "*" * 16


def test_lines_of_a_private_key_are_not_shown() -> None:
    text = "a: |\n  -----BEGIN PRIVATE KEY-----\n  c2VjcmV0\n c2VjcmV0: [\n"
    with pytest.raises(SpecError) as caught:
        parse_text(text, "f")
    assert [found.excerpt for found in caught.value.diagnostics] == [""]


def check(text: str) -> None:
    """Hold that `text` is a spec or has faults, every one at a place in the text."""
    try:
        source = parse_text(text, "f")
        read_spec(source)
    except SpecError as error:
        lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
        assert error.diagnostics
        for found in error.diagnostics:
            assert 1 <= found.line <= len(lines)
            assert 1 <= found.column <= len(lines[found.line - 1]) + 1
            assert 1 <= found.length <= max(1, len(lines[found.line - 1]) - found.column + 1)
            assert len(found.excerpt) in (0, min(MAX_EXCERPT, len(lines[found.line - 1].removesuffix("\r"))))
            assert found.message
            assert found.help


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@given(st.text(alphabet="ab:-?[]{},&*!|>'\"#%@ \n\t\r<=0.~e", max_size=60))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    check(text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """Draw a valid file in which some places are cut, doubled or overwritten."""
    text = draw(st.sampled_from(SPECS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        new = draw(
            st.one_of(
                st.sampled_from(
                    ["", text[start:end] * 2, "\n", "  ", "\t", ": ", "- ", "{}", "[]", "null", "1", "!!int ", "&a ", "*a"]
                ),
                st.text(max_size=5),
            )
        )
        text = text[:start] + new + text[end:]
    return text


@given(mutated())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_mutation_of_a_spec_is_read_or_refused(text: str) -> None:
    check(text)


@st.composite
def replaced(draw: st.DrawFn) -> str:
    """Draw a spec of the right outline in which one value is replaced by any other."""
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    data = parse_text(draw(st.sampled_from([text for text in SPECS if "kind:" in text])), "f").data
    here: Any = data
    while True:
        key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if not isinstance(here[key], dict | list) or not here[key] or draw(st.booleans()):
            here[key] = draw(values)
            return json.dumps(data, ensure_ascii=False)
        here = here[key]


@given(replaced())
def test_any_value_in_a_spec_is_read_or_refused(text: str) -> None:
    check(text)


TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"), max_size=40
)
JSON = st.dictionaries(
    TEXT.filter(lambda key: key != "<<"),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT.filter(lambda key: key != "<<"), inner, max_size=4),
        max_leaves=20,
    ),
    max_size=4,
)


@given(JSON, st.sampled_from([None, 2]))
def test_json_is_read_as_json(data: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=indent)
    if re.search("[\u202a-\u202e\u2066-\u2069]", text):
        with pytest.raises(SpecError):
            parse_text(text, "f")
    else:
        assert parse_text(text, "f").data == json.loads(text)
