"""One spec from several files: what is taken over, where it stands, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubc.errors import SpecError
from hubc.extends import MAX_LEVELS, load
from hubc.source import Location, Source, parse_text

BASE = """\
kind: Pipeline
partial: true
metadata:
  name: base
  description: what teams share
  labels: {team: a}
spec:
  train:
    epochs: 1
    phases: [one, two]
    resources: {nodes: 1}
  evaluate: &e {suites: [{suite: a}]}
  again: *e
"""
SPEC = """\
kind: Pipeline
extends: base.yaml
metadata:
  name: mine
spec:
  train:
    phases: [three]
    resources:
      accelerators: 8
"""


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def write(**files: str) -> None:
    for name, text in files.items():
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")


def read(top: Path, name: str = "spec") -> Source:
    return load(Path(f"{name}.yaml"), top)


def fault(top: Path, name: str = "spec") -> tuple[str, int, int, str, str]:
    with pytest.raises(SpecError) as caught:
        read(top, name)
    (found,) = caught.value.diagnostics
    return found.file, found.line, found.column, found.rule, found.message


def test_file_that_extends_nothing(top: Path) -> None:
    write(spec=BASE)
    source = read(top)
    assert source.data == parse_text(BASE, "spec.yaml").data
    assert not source.bases


def test_deep_merge(top: Path) -> None:
    write(base=BASE, spec=SPEC)
    source = read(top)
    assert source.data == {
        "kind": "Pipeline",
        "metadata": {"name": "mine", "labels": {"team": "a"}},
        "spec": {
            "train": {"epochs": 1, "phases": ["three"], "resources": {"nodes": 1, "accelerators": 8}},
            "evaluate": {"suites": [{"suite": "a"}]},
            "again": {"suites": [{"suite": "a"}]},
        },
    }
    assert list(source.bases) == ["base.yaml"]


@pytest.mark.parametrize(
    ("location", "key", "place", "excerpt"),
    [
        (("spec", "train", "epochs"), False, ("base.yaml", 9, 13), "    epochs: 1"),
        (("spec", "train", "epochs"), True, ("base.yaml", 9, 5), "    epochs: 1"),
        (("spec", "train", "resources", "nodes"), False, ("base.yaml", 11, 24), "    resources: {nodes: 1}"),
        (("spec", "train", "resources", "accelerators"), False, ("spec.yaml", 9, 21), "      accelerators: 8"),
        (("spec", "train", "phases", 0), False, ("spec.yaml", 7, 14), "    phases: [three]"),
        (("spec", "train", "phases", 1), False, ("spec.yaml", 7, 5), "    phases: [three]"),
        (("spec", "train", "seed"), False, ("spec.yaml", 6, 3), "  train:"),
        (("spec", "evaluate", "suites", 0, "suite"), False, ("base.yaml", 12, 34), "  evaluate: &e {suites: [{suite: a}]}"),
        (("spec", "evaluate", "gates"), False, ("spec.yaml", 5, 1), "spec:"),
        (("spec", "again", "suites", 0), False, ("base.yaml", 13, 3), "  again: *e"),
        (("metadata", "description"), False, ("spec.yaml", 3, 1), "metadata:"),
        (("metadata", "labels", "team"), False, ("base.yaml", 6, 18), "  labels: {team: a}"),
        (("apiVersion",), False, ("spec.yaml", 1, 1), "kind: Pipeline"),
    ],
)
def test_places_are_in_the_file_that_wrote_them(
    location: Location, key: bool, place: tuple[str, int, int], excerpt: str, top: Path
) -> None:
    write(base=BASE, spec=SPEC)
    source = read(top)
    found = source.diagnostic(location, "invalid-value", "message", "help", key=key)
    assert ((found.file, found.line, found.column), found.excerpt) == (place, excerpt)
    assert source.position(location, key=key) == place[1:]


def test_alias_is_merged_as_what_it_stands_for(top: Path) -> None:
    write(base="kind: A\nx: &x {a: 1, b: 2}\ny: *x\n", spec="kind: A\nextends: base.yaml\nz: &z {b: 3, c: 4}\ny: *z\n")
    source = read(top)
    assert source.data["y"] == {"a": 1, "b": 3, "c": 4}
    places = {key: source.diagnostic(("y", key), "invalid-value", "m", "h") for key in "abc"}
    assert {key: (found.file, found.line) for key, found in places.items()} == {
        "a": ("base.yaml", 3),
        "b": ("spec.yaml", 4),
        "c": ("spec.yaml", 4),
    }


def test_levels(top: Path) -> None:
    for level in range(MAX_LEVELS):
        write(**{f"level{level}": f"kind: A\nextends: level{level + 1}.yaml\nk{level}: {level}\nlast: {level}\n"})
    write(**{f"level{MAX_LEVELS}": "kind: A\nfirst: 1\n"})
    source = read(top, "level0")
    assert source.data["last"] == 0
    assert source.data["first"] == 1
    assert list(source.bases) == [f"level{level}.yaml" for level in range(1, MAX_LEVELS + 1)]
    write(spec="kind: A\nextends: level0.yaml\n")
    found = fault(top)
    assert found[:4] == (f"level{MAX_LEVELS - 1}.yaml", 2, 10, "extends-cycle")
    assert found[4].startswith(f"this extends more than {MAX_LEVELS} levels of files: spec.yaml -> level0.yaml -> ")


def test_cycle(top: Path) -> None:
    write(spec="kind: A\nextends: ./b.yaml\n", b="kind: A\nextends: c.yaml\n", c="kind: A\nextends: b.yaml\n")
    assert fault(top) == ("c.yaml", 2, 10, "extends-cycle", "this extends itself: spec.yaml -> b.yaml -> c.yaml -> b.yaml")
    write(spec="kind: A\nextends: spec.yaml\n")
    assert fault(top) == ("spec.yaml", 2, 10, "extends-cycle", "this extends itself: spec.yaml -> spec.yaml")


@pytest.mark.parametrize(
    ("base", "spec", "told"),
    [
        ("kind: Platform", "kind: Pipeline", "'base.yaml' is of kind 'Platform', this file of kind 'Pipeline'"),
        ("a: 1", "kind: Pipeline", "'base.yaml' is of no kind, this file of kind 'Pipeline'"),
        ("kind: Pipeline", "a: 1", "'base.yaml' is of kind 'Pipeline', this file of no kind"),
    ],
)
def test_other_kind(base: str, spec: str, told: str, top: Path) -> None:
    write(base=base, spec=f"{spec}\nextends: base.yaml\n")
    assert fault(top) == ("spec.yaml", 2, 10, "extends-kind", told)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("/etc/hostname", "path-outside-repository"),
        ("../outside.yaml", "path-outside-repository"),
        ("../repo/base.yaml", "path-outside-repository"),
        ("linked/outside.yaml", "path-outside-repository"),
        ("link.yaml", "path-outside-repository"),
        (".git/base.yaml", "path-outside-repository"),
        (".Git/base.yaml", "path-outside-repository"),
        ("kept.yaml", "path-outside-repository"),
        ("nowhere.yaml", "unreadable-file"),
        ("folder.yaml", "unreadable-file"),
        ("pipe.yaml", "unreadable-file"),
        ("~/base.yaml", "unreadable-file"),
        ("a" * 500 + ".yaml", "unreadable-file"),
        ("folder", "invalid-value"),
        ("base.json", "invalid-value"),
        ("plain.yaml", "invalid-value"),
        ("b" * 5000, "wrong-type"),
        ("''", "wrong-type"),
        ("", "wrong-type"),
        ("[base.yaml]", "wrong-type"),
        ('"x\\0/base.yaml"', "wrong-type"),
    ],
)
def test_path_that_cannot_be_extended(value: str, rule: str, top: Path) -> None:
    (top.parent / "outside.yaml").write_text("kind: A\n")
    Path("linked").symlink_to(top.parent)
    Path("link.yaml").symlink_to(top.parent / "outside.yaml")
    Path(".git").mkdir()
    Path(".git/base.yaml").write_text("kind: A\n")
    Path("kept.yaml").symlink_to(".git/base.yaml")
    Path("plain.yaml").symlink_to("base.json")
    Path("folder.yaml").mkdir()
    os.mkfifo("pipe.yaml")
    write(spec=f"kind: A\nextends: {value}\n")
    found = fault(top)
    assert (found[0], found[1], found[3]) == ("spec.yaml", 2, rule)


def test_path_with_dots_that_stays_inside(top: Path) -> None:
    write(base="kind: A\na: 1\n", spec="kind: A\nextends: none/../base.yaml\n")
    assert read(top).data == {"kind": "A", "a": 1}


def test_folder_that_links_elsewhere_in_the_repository(top: Path) -> None:
    Path("shared").mkdir()
    Path("shared/base.yaml").write_text("kind: A\na: 1\n")
    Path("linked").symlink_to("shared")
    write(spec="kind: A\nextends: linked/base.yaml\n")
    assert list(read(top).bases) == ["shared/base.yaml"]


def test_spec_below_a_folder_that_links_out(top: Path) -> None:
    outside = top.parent / "outside"
    outside.mkdir()
    (outside / "spec.yaml").write_text("kind: A\n")
    Path("linked").symlink_to(outside)
    assert fault(top, "linked/spec")[3] == "path-outside-repository"
    assert load(outside / "spec.yaml", top).data == {"kind": "A"}


def test_fault_of_a_base_is_in_its_file(top: Path) -> None:
    write(base="kind: A\na: [\n", spec="kind: A\nextends: base.yaml\n")
    assert fault(top)[:4] == ("base.yaml", 2, 4, "yaml-syntax")


def test_base_that_changes_is_read_anew(top: Path) -> None:
    write(base="kind: A\na: 1\n", spec="kind: A\nextends: base.yaml\n")
    assert read(top).data["a"] == 1
    write(base="kind: A\na: 2\n")
    assert read(top).data["a"] == 2


def test_specs_share_nothing_of_their_base(top: Path) -> None:
    write(base="kind: A\na: {b: [1]}\n", spec="kind: A\nextends: base.yaml\na: {c: 1}\n")
    read(top).data["a"]["b"].append(2)
    assert read(top).data["a"] == {"b": [1], "c": 1}


VALUES = st.recursive(
    st.integers(-(10**9), 10**9) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3)


def dump(data: Any) -> str:
    """Write a value in YAML's flow style, over several lines."""
    if isinstance(data, dict):
        return "{" + ",\n ".join(f"{key}: {dump(value)}" for key, value in data.items()) + "}"
    return "[" + ",\n ".join(map(dump, data)) + "]" if isinstance(data, list) else str(data)


def merge(over: Any, base: Any) -> Any:
    if isinstance(over, dict) and isinstance(base, dict):
        both = over.keys() & base.keys()
        return {**base, **over, **{key: merge(over[key], base[key]) for key in both}}
    return over


def locations(data: Any, location: Location = ()) -> list[Location]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [location, *(below for key, value in items for below in locations(value, (*location, key)))]


@given(DATA, DATA)
def test_any_two_files(tmp_path_factory: pytest.TempPathFactory, over: dict[str, Any], base: dict[str, Any]) -> None:
    top = tmp_path_factory.getbasetemp()
    texts = {"over.yaml": dump({"extends": "base.yaml", **over}), "base.yaml": dump(base)}
    for name, text in texts.items():
        (top / name).write_text(text)
    source = load(top / "over.yaml", top, name="over.yaml")
    assert source.data == merge(over, base)
    for location in locations(source.data):
        found = source.diagnostic(location, "invalid-value", "m", "h")
        line = texts[Path(found.file).name].split("\n")[found.line - 1]
        assert found.excerpt == line
        assert 1 <= found.column <= len(line)
        value: Any = source.data
        for key in location:
            value = value[key]
        if not isinstance(value, dict | list):
            assert line[found.column - 1 :][: found.length] == str(value)


@given(DATA)
def test_empty_base_changes_nothing(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    top = tmp_path_factory.getbasetemp()
    (top / "empty.yaml").write_text("{}")
    (top / "spec.yaml").write_text(dump({**data, "extends": "empty.yaml"}))
    assert load(top / "spec.yaml", top).data == data
