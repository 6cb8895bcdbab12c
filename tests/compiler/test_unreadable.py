"""Files that cannot be read, or must not be: a diagnostic, never a traceback."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hubc.errors import SpecError
from hubc.extends import load
from hubc.source import MAX_BYTES
from hubc.workspace import LOCAL, load_plan, validate_paths

QUICKSTART = Path("specs/pipelines/quickstart.yaml")
LEAF = Path("specs/taxonomy/knowledge/software/hubc/specs/qna.yaml")


def faults(*paths: Path) -> list[tuple[str, int, str, str]]:
    with pytest.raises(SpecError) as caught:
        validate_paths(list(paths))
    return [(found.file, found.line, found.rule, found.message) for found in caught.value.diagnostics]


@pytest.mark.usefixtures("repo")
def test_missing_files_are_reported_beside_the_faults_of_others() -> None:
    QUICKSTART.write_text("kind: Pipeline\n")
    assert faults(Path("nowhere.yaml"), QUICKSTART, Path("no", "folder")) == [
        ("no/folder", 1, "unreadable-file", "cannot read the file: No such file or directory"),
        ("nowhere.yaml", 1, "unreadable-file", "cannot read the file: No such file or directory"),
        (str(QUICKSTART), 1, "missing-key", "the key 'apiVersion' is missing"),
    ]


@pytest.mark.usefixtures("repo")
def test_name_that_the_system_refuses() -> None:
    name = "a" * 1000 + ".yaml"
    assert faults(Path(name)) == [(name, 1, "unreadable-file", "cannot read the file: File name too long")]


@pytest.mark.usefixtures("repo")
def test_load_plan_of_a_missing_file() -> None:
    with pytest.raises(SpecError) as caught:
        load_plan(Path("nowhere.yaml"), LOCAL)
    assert [found.rule for found in caught.value.diagnostics] == ["unreadable-file"]


@pytest.mark.usefixtures("repo")
def test_text_that_is_not_utf_8() -> None:
    QUICKSTART.write_bytes(b"apiVersion: hubc/v1\nkind: Pipeline\n# caf\xe9\n")
    assert faults(QUICKSTART) == [(str(QUICKSTART), 3, "unreadable-file", "byte 0xe9 is not UTF-8")]
    QUICKSTART.write_text("apiVersion: hubc/v1\n", encoding="utf-16")
    assert faults(QUICKSTART)[0][2] == "unreadable-file"


@pytest.mark.usefixtures("repo")
def test_byte_order_mark_and_crlf_are_harmless() -> None:
    text = QUICKSTART.read_text()
    QUICKSTART.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert validate_paths([QUICKSTART])[0] == 1


@pytest.mark.usefixtures("repo")
def test_file_that_is_too_large() -> None:
    QUICKSTART.write_text(QUICKSTART.read_text() + "#" * MAX_BYTES)
    assert faults(QUICKSTART) == [(str(QUICKSTART), 1, "unreadable-file", f"the file is larger than {MAX_BYTES} bytes")]


@pytest.mark.usefixtures("repo")
def test_pipe_is_not_read() -> None:
    os.mkfifo("pipe.yaml")
    assert faults(Path("pipe.yaml")) == [("pipe.yaml", 1, "unreadable-file", "this is not a regular file")]


@pytest.mark.parametrize(
    ("text", "rule", "message"),
    [
        ("", "yaml-not-a-mapping", "the file is empty"),
        ("# nothing yet\n", "yaml-not-a-mapping", "the file is empty"),
        ("just text\n", "yaml-not-a-mapping", "the file holds no mapping"),
        ("a: 1\n---\nb: 2\n", "yaml-several-documents", "a second document starts here"),
        ("a:\n\tb: 1\n", "yaml-syntax", "a tab indents this line"),
        ("a: 1\n>>>>>>> theirs\n", "yaml-merge-conflict", "a merge conflict starts here"),
        ("a: 1\nb: 2\na: 3\n", "yaml-duplicate-key", "this key is already used on line 1"),
    ],
)
@pytest.mark.usefixtures("repo")
def test_file_that_says_nothing_or_two_things(text: str, rule: str, message: str) -> None:
    QUICKSTART.write_text(text)
    assert [found[2:] for found in faults(QUICKSTART)] == [(rule, message)]


def test_folder_is_no_file(repo: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_plan(Path("specs"), LOCAL)
    assert [found.message for found in caught.value.diagnostics] == ["this is a folder"]


def test_spec_in_a_folder_that_links_out_of_the_repository(repo: Path) -> None:
    outside = repo.parent / "outside"
    outside.mkdir()
    (outside / "spec.yaml").write_text("password: hunter2\n")
    Path("specs/linked").symlink_to(outside)
    with pytest.raises(SpecError) as caught:
        load(Path("specs/linked/spec.yaml"), repo)
    (found,) = caught.value.diagnostics
    assert (found.rule, found.excerpt) == ("path-outside-repository", "")


def test_link_to_a_spec_is_not_read(repo: Path) -> None:
    outside = repo.parent / "outside.yaml"
    outside.write_text("password: hunter2\n")
    Path("specs/pipelines/link.yaml").symlink_to(outside)
    (found,) = faults(Path("specs"))
    assert found[:3] == ("specs/pipelines/link.yaml", 1, "unreadable-file")
    assert "symbolic link" in found[3]


def test_link_to_a_leaf_is_not_read(repo: Path) -> None:
    outside = repo.parent / "outside.yaml"
    outside.write_text("password: hunter2\n")
    LEAF.unlink()
    LEAF.symlink_to(outside)
    (found,) = faults(QUICKSTART)
    assert found[:3] == (str(LEAF), 1, "unreadable-file")


@pytest.mark.parametrize("linked", ["specs/taxonomy", "specs/taxonomy/knowledge"])
def test_taxonomy_that_links_out_of_the_repository(linked: str, repo: Path) -> None:
    outside = repo.parent / "outside"
    shutil.move(linked, outside)
    Path(linked).symlink_to(outside)
    (found,) = faults(QUICKSTART)
    assert found[2:] == ("path-outside-repository", f"'{linked}' leads out of the repository")


@pytest.mark.usefixtures("repo")
def test_taxonomy_that_links_to_itself() -> None:
    shutil.rmtree("specs/taxonomy")
    Path("specs/taxonomy").symlink_to("taxonomy")
    assert faults(QUICKSTART)[0][2] == "empty-taxonomy"


@pytest.mark.usefixtures("repo")
def test_folder_with_file_names_that_forge_output() -> None:
    Path("specs", "a\n::error::b.yaml").write_text("")
    assert faults(Path("specs"))[0][0] == "specs/a\\n::error::b.yaml"


def test_base_model_folder_is_bounded(repo: Path) -> None:
    models = repo / "models"
    models.mkdir()
    text = QUICKSTART.read_text()
    spec = "pypi://" + text.split("pypi://", 1)[1].split("\n", 1)[0]
    QUICKSTART.write_text(text.replace(spec, f"file://{models}", 1))
    assert validate_paths([QUICKSTART])[0] == 1
    for number in range(10_001):
        (models / str(number)).touch()
    (found,) = faults(QUICKSTART)
    assert found[2:] == ("unreadable-model", f"cannot use 'file://{models}': it holds more than 10000 files")


@pytest.mark.usefixtures("repo")
def test_folder_of_a_leaf_whose_name_is_not_text() -> None:
    odd = Path(os.fsdecode(b"specs/taxonomy/knowledge/\xff"))
    shutil.copytree(LEAF.parent, odd)
    [(_, _, rule, message)] = faults(QUICKSTART)
    assert (rule, message) == ("unreadable-file", "the folder's name cannot be written as text")
