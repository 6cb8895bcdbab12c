"""`hubc init`: what it writes works, and nothing is overwritten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hubc.errors import UnreachableError, UsageError
from hubc.scaffold import scaffold
from hubc.source import parse
from hubc.workspace import LOCAL, load_plan, load_platform, validate_paths


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["moon", "null", "on", "a", "y2-k", "a" * 40])
def test_scaffold_compiles_and_reads_only_its_own_leaf(name: str, repo: Path) -> None:
    before, (number, _) = files(repo), validate_paths([Path("specs")])
    quickstart = load_plan(Path("specs/pipelines/quickstart.yaml"), LOCAL).digest
    written = scaffold(repo, name)
    assert sorted(set(files(repo)) - set(before)) == sorted(str(path.relative_to(repo)) for path in written)
    assert validate_paths([Path("specs")])[0] == number + 2
    assert validate_paths(written) == (2, ())

    plan = load_plan(Path(f"specs/pipelines/{name}.yaml"), LOCAL)
    assert plan.pipeline == name
    assert [step.id for step in plan.steps] == ["generate", "evaluate-base", "train", "evaluate-tuned", "publish"]
    assert list(plan.step("generate").inputs["taxonomy"].documents or {}) == [f"knowledge/{name}"]
    assert plan.step("publish").parameters["location"] == f"published/{name}"
    assert load_plan(Path("specs/pipelines/quickstart.yaml"), LOCAL).digest == quickstart


def test_scaffold_runs_on_a_cluster_too(repo: Path) -> None:
    scaffold(repo, "moon")
    cluster = load_platform("example-cluster", repo)
    assert load_plan(Path("specs/pipelines/moon.yaml"), cluster).platform == "example-cluster"


def test_scaffold_in_an_empty_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    assert scaffold(Path(), "moon") == [
        Path("specs/pipelines/moon.yaml"),
        Path("specs/taxonomy/moon/knowledge/moon/qna.yaml"),
    ]
    assert validate_paths([Path("specs")]) == (2, ())


def test_commented_options_are_good_as_well(repo: Path) -> None:
    path, _ = scaffold(repo, "moon")
    text = re.sub(r"(?m)^  #   teacher:\n(  #     .*\n)+", "", path.read_text())
    text, number = re.subn(r"(?m)^( *)# ( *(?:- )?[{a-z_.]+:.*)$", r"\1\2", text)
    assert number > 15
    path.write_text(text)
    Path("specs/data/skills.jsonl").write_text('{"messages": []}\n')
    assert validate_paths([path]) == (1, ())
    assert len(load_plan(path, LOCAL).variants) == 4


def test_files_name_their_schemas_and_any_yaml_reader_finds_the_same_numbers(repo: Path) -> None:
    schemas = {}
    for path in scaffold(repo, "moon"):
        first = path.read_text().partition("\n")[0]
        schemas[path.name] = (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve()
        assert yaml.safe_load(path.read_text()) == parse(path).data
    assert schemas == {
        "moon.yaml": repo.resolve() / "schemas/pipeline.schema.json",
        "qna.yaml": repo.resolve() / "schemas/knowledge-leaf.schema.json",
    }


@pytest.mark.parametrize("taken", ["specs/pipelines/moon.yaml", "specs/taxonomy/moon/knowledge/moon/qna.yaml"])
@pytest.mark.parametrize("link", [False, True])
def test_scaffold_overwrites_nothing(taken: str, link: bool, repo: Path) -> None:
    path = repo / taken
    path.parent.mkdir(parents=True, exist_ok=True)
    if link:
        path.symlink_to("nowhere")
    else:
        path.write_text("mine\n")
    before = files(repo)
    with pytest.raises(UsageError, match=f"^{taken} exists; "):
        scaffold(repo, "moon")
    assert files(repo) == before


@pytest.mark.parametrize(
    "name", ["", "Moon", "my_model", "1st", "-x", "x-", "a/b", "../a", "a b", "a\n", "ä", "a" * 41, "$name"]
)
def test_scaffold_refuses_a_name(name: str, repo: Path) -> None:
    before = files(repo)
    with pytest.raises(UsageError, match="use at most 40 lower-case letters, digits and hyphens"):
        scaffold(repo, name)
    assert files(repo) == before


def test_scaffold_refuses_the_folder_of_another_taxonomy(repo: Path) -> None:
    with pytest.raises(UsageError, match="'knowledge' cannot be a pipeline's name here"):
        scaffold(repo, "knowledge")


def test_scaffold_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "specs").write_text("a file\n")
    with pytest.raises(UnreachableError, match=r"^cannot write .*moon\.yaml: "):
        scaffold(tmp_path, "moon")
