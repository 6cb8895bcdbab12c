"""Specs as they were at a git revision: from git's objects, whatever the repository and its configuration hold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hubc.cli import main
from hubc.errors import HubcError, UnreachableError, UsageError
from hubc.plan_views.against import against
from hubc.plan_views.difference_text import difference_lines
from hubc.revision import specs_at
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from hubc.plan_views.difference import Difference

SPEC = Path("specs/pipelines/quickstart.yaml")
NAMES = (
    "-c",
    "user.name=t",
    "-c",
    "user.email=t@example.com",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "init.defaultBranch=main",
)


def git(*arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run(["git", *NAMES, *arguments], check=True, capture_output=True, input=data)  # noqa: S607
    return done.stdout.decode().strip()


def commit() -> str:
    git("add", "--all")
    git("commit", "--quiet", "--message", "c", "--allow-empty")
    return git("rev-parse", "HEAD")


@pytest.fixture
def history(repo: Path) -> Path:
    """Make the repository one of git, with one commit."""
    shutil.rmtree(repo / ".git")
    git("init", "--quiet")
    commit()
    return repo


def copied(root: Path, revision: str = "HEAD") -> dict[str, bytes]:
    """Return what the copy of a revision holds."""
    with specs_at(root, revision) as then:
        files = [path for path in then.folder.rglob("*") if path.is_file() and path.name != ".git"]
        return {str(path.relative_to(then.folder)): path.read_bytes() for path in files}


def state(root: Path) -> dict[str, tuple[int, str]]:
    """Return time and content of every file, those of git included."""
    return {str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()}  # fmt: skip


def compare(revision: str, platform: str = "local", spec: Path = SPEC) -> Difference:
    return against(load_plan(spec, load_platform(platform, Path.cwd())), spec, platform, revision)


def edit(old: str, new: str, path: Path = SPEC) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_copy_is_what_was_committed(history: Path) -> None:
    before = {str(path.relative_to(history)): path.read_bytes() for path in (history / "specs").rglob("*") if path.is_file()}
    edit("num_epochs: 3", "num_epochs: 4")
    (history / "specs" / "untracked.yaml").write_text("a: 1\n")
    assert copied(history) == before


def test_work_tree_and_index_are_not_touched(history: Path) -> None:
    edit("num_epochs: 3", "num_epochs: 4")
    git("add", "--all")
    edit("num_epochs: 4", "num_epochs: 5")
    os.utime(SPEC, (time.time() - 100,) * 2)  # so that `git status` would want to refresh the index
    before = state(history)
    compare("HEAD")
    assert state(history) == before


def test_copy_is_gone_afterwards(history: Path) -> None:
    with specs_at(history, "HEAD") as then:
        assert then.folder.is_dir()
    assert not then.folder.exists()


@pytest.mark.parametrize("revision", ["main", "HEAD", "HEAD~0", "v1", "main^{commit}", "@"])
def test_names_of_revisions(history: Path, revision: str) -> None:
    git("tag", "-a", "v1", "-m", "one")
    with specs_at(history, revision) as then:
        assert (then.name, then.commit) == (revision, git("rev-parse", "HEAD"))


@pytest.mark.parametrize(
    "revision",
    ["moon", "", " ", "-h", "--help", "--output=pwned", "--all", "-", "HEAD:specs", "HEAD~99", "a\0b", "$(touch pwned)",
     "HEAD; touch pwned", "main..main", "^main", "../..", "0" * 40, "\x1b[31m"],
)  # fmt: skip
def test_no_such_revision(history: Path, revision: str) -> None:
    with pytest.raises(UsageError) as error:
        copied(history, revision)
    assert str(error.value).startswith("git knows no revision '")
    assert str(error.value).isprintable()
    assert not (history / "pwned").exists()


def test_links_submodules_and_large_files_are_left_out(history: Path) -> None:
    (history / "link.yaml").symlink_to("/etc/hostname")
    (history / "folder").symlink_to("/etc")
    for suffix, size in (("yaml", 1 << 18), ("dat", 1 << 17), ("json", 1 << 17)):
        (history / f"large.{suffix}").write_text("#" * (size + 1))
        (history / f"largest.{suffix}").write_text("#" * size)
    git("add", "--all")
    git("update-index", "--add", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},module.yaml")
    git("commit", "--quiet", "--message", "c")
    found = {name for name in copied(history) if not name.startswith("specs/")}
    assert found == {"largest.yaml", "largest.dat", "largest.json"}


def test_data_set_of_any_name(history: Path) -> None:
    Path("rows.dat").write_text("{}\n")
    edit("  train:\n", "  data: {datasets: {rows: {location: rows.dat, file_format: jsonl}}}\n  train:\n")
    commit()
    assert not compare("main").missing


def test_large_repository_without_what_specs_seldom_name(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubc.revision.MAX_TOTAL_BYTES", 1 << 20)
    for number in range(9):
        (history / f"{number}.bin").write_bytes(b"%d" % number * (1 << 17))
    commit()
    found = copied(history)
    assert str(SPEC) in found
    assert not any(name.endswith(".bin") for name in found)


def test_path_that_leads_out_is_left_out(history: Path) -> None:
    blob = git("hash-object", "-w", "--stdin", data=b"a: 1\n")
    entry = bytes.fromhex(blob)
    inner = git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", data=b"100644 out.yaml\0" + entry)
    for name in (b"..", b".", b".git", b".GIT"):
        tree = git("hash-object", "-t", "tree", "-w", "--stdin", "--literally",
                   data=b"40000 " + name + b"\0" + bytes.fromhex(inner) + b"100644 fine.yaml\0" + entry)  # fmt: skip
        assert copied(history, git("commit-tree", tree, "-m", "hostile")) == {"fine.yaml": b"a: 1\n"}


def test_too_many_files(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubc.revision.MAX_TOTAL_BYTES", 100)
    with pytest.raises(HubcError, match=r"files to compile from, [\d,]+ bytes together; hubc reads at most"):
        copied(history)


def test_configuration_of_the_repository_starts_nothing(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (history / ".gitattributes").write_text("*.yaml filter=evil diff=evil\n")
    commit()
    evil = f"touch {history}/pwned"
    for name in ("filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "diff.evil.command", "core.fsmonitor",
                 "core.pager", "core.sshCommand", "core.editor", "alias.ls-tree", "alias.cat-file", "pager.ls-tree",
                 "pager.cat-file", "pager.rev-parse"):  # fmt: skip
        git("config", name, f"!{evil}" if name.startswith("alias") else evil)
    for name in ("post-index-change", "reference-transaction", "post-checkout"):
        hook = history / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{evil}\n")
        hook.chmod(0o755)
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "PAGER", "GIT_SSH_COMMAND", "GIT_ASKPASS"):
        monkeypatch.setenv(name, evil)
    assert str(SPEC) in copied(history)
    assert not (history / "pwned").exists()


def test_environment_does_not_lead_to_another_repository(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    git("init", "--quiet", str(other))
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    assert str(SPEC) in copied(history)


def test_repository_below_the_one_of_git(history: Path) -> None:
    (history / "team").mkdir()
    shutil.copytree(history / "specs", history / "team" / "specs")
    commit()
    assert {name.split("/")[0] for name in copied(history / "team")} == {"specs"}


def test_no_repository(repo: Path) -> None:
    with pytest.raises(UsageError, match="is no git repository, so there is no revision 'main' to compare with"):
        copied(repo, "main")


def test_no_git(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(history))
    with pytest.raises(UnreachableError, match="git is not installed"):
        copied(history)


def test_objects_that_are_missing(history: Path) -> None:
    blob = git("rev-parse", f"HEAD:{SPEC}")
    (history / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(HubcError, match=f"git has no content for {SPEC} at that revision"):
        copied(history)


def test_spec_that_is_new(history: Path) -> None:
    new = SPEC.with_name("new.yaml")
    shutil.copy(SPEC, new)
    found = compare("main", spec=new)
    assert found.missing == f"{new} did not exist at main: it is new in this change"
    assert {step.status for step in found.steps} == {"added"}


def test_spec_that_was_not_valid(history: Path) -> None:
    edit("num_epochs: 3", "num_epoch: 3")
    commit()
    edit("num_epoch: 3", "num_epochs: 3")
    found = compare("main")
    assert found.missing.startswith(f"the spec was not valid at main: {SPEC} at main:")
    assert "unknown key 'num_epoch'" in found.missing
    assert found.digest is None


def test_taxonomy_that_was_not_there(history: Path) -> None:
    shutil.move("specs/taxonomy", "elsewhere")
    commit()
    shutil.move("elsewhere", "specs/taxonomy")
    found = compare("HEAD")
    assert found.missing.startswith(f"the spec was not valid at HEAD: {SPEC} at HEAD:")
    assert "/tmp" not in found.missing.replace(str(history), "")


def test_leaf_that_was_not_valid_is_named_as_in_the_repository(history: Path) -> None:
    leaf = next(Path("specs/taxonomy").rglob("qna.yaml"))
    text = leaf.read_text()
    leaf.write_text("version: 3\n")
    commit()
    leaf.write_text(text)
    assert f": {leaf} at main:" in compare("main").missing


def test_platform_that_is_new(history: Path) -> None:
    shutil.copy("specs/platforms/example-cluster.yaml", "specs/platforms/moon.yaml")
    edit("name: example-cluster", "name: moon", Path("specs/platforms/moon.yaml"))
    for name in ("moon", "specs/platforms/moon.yaml"):
        said = compare("main", name).missing
        assert said.startswith("there was no such plan at main: no platform '")
        assert "/tmp" not in said


def test_platform_that_changed(history: Path) -> None:
    edit("memory_gib: 16", "memory_gib: 32", Path("specs/platforms/example-cluster.yaml"))
    edit("2222222222", "5555555555", Path("specs/platforms/example-cluster.yaml"))
    for name in ("example-cluster", "specs/platforms/example-cluster.yaml"):
        found = compare("main", name)
        assert {change.field for step in found.steps for change in step.changes} == {"resources.memory_gib", "image"}
        assert not any(step.other_output for step in found.steps)


def test_platform_outside_the_repository(history: Path, tmp_path: Path) -> None:
    shutil.copy("specs/platforms/example-cluster.yaml", tmp_path / "far.yaml")
    assert {step.status for step in compare("main", str(tmp_path / "far.yaml")).steps} == {"unchanged"}


@pytest.mark.parametrize("format", ["text", "json", "markdown"])
def test_command(history: Path, format: str, capsys: pytest.CaptureFixture[str]) -> None:
    edit("num_epochs: 3", "num_epochs: 4")
    assert main(["plan", str(SPEC), "--against", "main", "--format", format]) == 0
    shown = capsys.readouterr().out
    if format == "json":
        steps = {step["step"]: step for step in json.loads(shown)["against"]["steps"]}
        assert steps["train"]["changes"][0] == {
            "what": "parameter", "field": "num_epochs", "how": "changed", "before": 3, "after": 4, "step": None,
        }  # fmt: skip
        assert {name for name, step in steps.items() if step["other_output"]} == {"train", "evaluate-tuned", "publish"}
    else:
        assert "\n      num_epochs  3 -> 4\n" in shown
        assert "\n  To run because of it: train, evaluate-tuned, publish.\n" in shown


def test_command_with_a_wrong_revision(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(SPEC), "--against", "moon"]) == 2
    shown = capsys.readouterr()
    said = "hubc: git knows no revision 'moon'; name a branch, a tag or a commit that is here\n"
    assert (shown.out, shown.err) == ("", said)


def test_spec_elsewhere(history: Path, tmp_path: Path) -> None:
    far = tmp_path / "far.yaml"
    shutil.copy(SPEC, far)
    plan = load_plan(SPEC, load_platform("local", history))
    with pytest.raises(UsageError, match=r"lies outside the repository|is no git repository"):
        against(plan, far, "local", "main")


def test_same_plan(history: Path) -> None:
    edit("num_epochs: 3", "num_epochs: 3  # as before")
    found = compare("main")
    plan = load_plan(SPEC, load_platform("local", history))
    assert difference_lines(found, plan, {}) == [f"Compared with main ({found.commit[:12]}): the same plan"]
