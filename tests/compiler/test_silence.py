"""Comments that silence a rule: what they silence, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hubc.extends import load
from hubc.rules import RULES
from hubc.silence import MAX_SILENCES, silence
from hubc.source import Location, Source, parse_text

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.diagnostics import Diagnostic

RULE = "learning-rate-high"
ERROR = "unpinned-revision"
REASON = "-- tried, it converges"


def find(source: Source, *found: tuple[Location, str]) -> list[Diagnostic]:
    return [source.diagnostic(location, rule, "message", "help") for location, rule in found]


def left(text: str, *rules: str) -> list[tuple[int, int, str]]:
    """Return what remains where the value of `rate` breaks these rules."""
    source = parse_text(text, "f")
    remaining = silence(find(source, *((("rate",), rule) for rule in rules)), [source])
    return [(found.line, found.column, found.rule) for found in remaining]


@pytest.mark.parametrize(
    "text",
    [
        f"rate: 1  # hubc: allow {RULE} {REASON}\n",
        f"# hubc: allow {RULE} {REASON}\nrate: 1\n",
        f"a:\n    # hubc: allow {RULE} {REASON}\nrate: 1\n",
        f"rate: 1\t#hubc: allow {RULE} {REASON}\n",
        f"rate: 1 # note # hubc: allow {RULE} {REASON}\n",
        f"rate: 1 # hubc: allow {RULE}  --tried\r\n",
        f"rate: | # hubc: allow {RULE} {REASON}\n  text\n",
        f"rate: 'x' # hubc: allow {RULE} {REASON}\n",
        f"{{a: b, # note\nrate: 1, # hubc: allow {RULE} {REASON}\n c: d}}",
    ],
)
def test_silenced(text: str) -> None:
    assert left(text, RULE) == []


def test_several_rules_in_one_comment() -> None:
    assert left(f"rate: 1 # hubc: allow {RULE}, {ERROR} {REASON}", RULE, ERROR) == []
    assert left(f"rate: 1 # hubc: allow {RULE},{ERROR} {REASON}", RULE, RULE, ERROR) == []


def test_other_rules_stay() -> None:
    assert left(f"rate: 1 # hubc: allow {RULE} {REASON}", RULE, "unknown-key") == [(1, 7, "unknown-key")]


@pytest.mark.parametrize(
    "text",
    [
        f"# hubc: allow {RULE} {REASON}\n\nrate: 1\n",
        f"# hubc: allow {RULE} {REASON}\n# another\nrate: 1\n",
        f"a: b # hubc: allow {RULE} {REASON}\nrate: 1\n",
        f"rate: 1\n# hubc: allow {RULE} {REASON}\n",
    ],
)
def test_comment_in_another_place_silences_nothing(text: str) -> None:
    assert [rule for *_, rule in left(text, RULE)] == [RULE, "unused-silence"]


@pytest.mark.parametrize(
    "text",
    [
        f"rate: 'x # hubc: allow {RULE} {REASON}'\n",
        f"rate: |\n  # hubc: allow {RULE} {REASON}\n",
        f"rate: 'x\n  # hubc: allow {RULE} {REASON}'\n",
        f"rate: x#hubc: allow {RULE} {REASON}\n".replace(": allow", " allow"),
        f"rate: 1 # hubc: allowed {RULE} {REASON}\n",
        f'? "# hubc: allow {RULE} {REASON}"\n: 1\nrate: 1\n',
    ],
)
def test_text_is_no_comment(text: str) -> None:
    assert [rule for *_, rule in left(text, RULE)] == [RULE]


def test_comment_after_a_block_of_text() -> None:
    assert left(f"a: |\n  x\n# hubc: allow {RULE} {REASON}\nrate: 1\n", RULE) == []


@pytest.mark.parametrize(
    ("comment", "rule", "column", "message", "help"),
    [
        (f"# hubc: allow {RULE} {REASON}", "unused-silence", 24, f"'{RULE}' is silenced here, and nothing breaks it", ""),
        (f"# hubc: allow {RULE}", "silence-without-reason", 10, "no reason is given", "write: # hubc: allow RULE -- REASON"),
        (f"# hubc: allow {RULE} -- ", "silence-without-reason", 10, "no reason is given", "write: "),
        (f"# hubc: allow {REASON}", "unknown-silence", 10, "no rule is named", "write: "),
        (f"# hubc: allow local-pth {REASON}", "unknown-silence", 24, "unknown rule 'local-pth'", "did you mean 'local-path"),
        (f"# hubc: allow everything {REASON}", "unknown-silence", 24, "unknown rule 'everything'", "use one of: "),
        (f"# hubc: allow unknown-key {REASON}", "not-silenceable", 24, "'unknown-key' cannot be silenced", "mend"),
        (f"# hubc: allow unused-silence {REASON}", "not-silenceable", 24, "'unused-silence' cannot be silenced", "mend"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_comment(comment: str, rule: str, column: int, message: str, help: str) -> None:
    source = parse_text(f"rate: 1  {comment}", "f")
    (found,) = silence([], [source])
    assert (found.rule, found.column, found.message) == (rule, column, message)
    assert found.help.startswith(help)
    assert found.excerpt == f"rate: 1  {comment}"


def test_unfounded_silence_does_not_silence() -> None:
    assert [rule for *_, rule in left(f"rate: 1 # hubc: allow {RULE}", RULE)] == [RULE, "silence-without-reason"]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_silenced_or_said_to_be_not_silenceable(rule: str) -> None:
    found = {name for *_, name in left(f"rate: 1 # hubc: allow {rule} {REASON}", rule)}
    assert found == (set() if RULES[rule].silenceable else {rule, "not-silenceable"})


def test_unused_is_told_only_where_every_rule_was_asked() -> None:
    comment = f"# hubc: allow {RULE} {REASON}"
    assert left(f"rate: 1 {comment}") == [(1, 23, "unused-silence")]
    assert left(f"rate: 1 {comment}", "unknown-key") == [(1, 7, "unknown-key")]
    assert left(f"partial: true\nrate: 1 {comment}") == []
    assert left(f"rate: 1 # hubc: allow local-path {REASON}") == []


def test_base_is_silenced_in_its_own_file(tmp_path: Path) -> None:
    comment = f"# hubc: allow {RULE} {REASON}"
    (tmp_path / "base.yaml").write_text(f"kind: A\nrate: 1 {comment}\nother: 1 {comment}\n")
    (tmp_path / "spec.yaml").write_text("kind: A\nextends: base.yaml\n")
    source = load(tmp_path / "spec.yaml", tmp_path)
    assert silence(find(source, (("rate",), RULE)), [source]) == []
    assert [found.rule for found in silence(find(source, (("kind",), RULE)), [source])] == [RULE]


def test_files_are_told_apart() -> None:
    sources = [parse_text("rate: 1\n", "a"), parse_text(f"rate: 1 # hubc: allow {RULE} {REASON}\n", "b")]
    found = [item for source in sources for item in find(source, (("rate",), RULE))]
    assert silence(found, sources) == found[:1]


def test_number_of_silences_is_bounded() -> None:
    source = parse_text("a: 1\n" + f"# hubc: allow {RULE} {REASON}\n" * (MAX_SILENCES + 10), "f")
    found = silence([], [source])
    assert len(found) == MAX_SILENCES + 1
    assert [item.rule for item in found].count("not-silenceable") == 1


def test_without_comments_nothing_changes() -> None:
    source = parse_text("rate: 1\n", "f")
    found = find(source, (("rate",), RULE), (("rate",), "unknown-key"))
    assert silence(found, [source]) == found
