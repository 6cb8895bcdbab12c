"""The specs of a repository as they were at a git revision, read from git's objects; work tree and index are not touched."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.locations import is_private
from hubc.errors import HubcError, UnreachableError, UsageError
from hubc.inputs import MAX_FILE_BYTES
from hubc.printable import printable
from hubc.source import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

_USUAL = (".csv", ".json", ".jsonl", ".md", ".py", ".txt", ".yaml", ".yml")
"""Suffixes of what a plan is usually compiled from; of a repository that is too large, nothing else is copied."""
MAX_TOTAL_BYTES = 128 << 20
MAX_FILES = 50_000
LIMIT_SECONDS = 60

_GIT = ("git", "--no-pager", "--no-replace-objects", "--no-optional-locks", "--literal-pathspecs",
        "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-c", "protocol.allow=never")  # fmt: skip
"""Nothing that the repository's configuration names is executed, and nothing is fetched."""


@dataclass(frozen=True)
class Revision:
    """What `name` meant: the commit, and a temporary copy of the specs below the repository's top."""

    name: str
    commit: str
    folder: Path


@dataclass(frozen=True)
class _Blob:
    path: str
    object: str
    size: int


@contextmanager
def specs_at(root: Path, name: str) -> Iterator[Revision]:
    """Copy specs, and the files that they may name, from below `root` at the revision `name` to a folder that lasts as long.

    Symbolic links, submodules and files that are too large for the compiler are left out; the copy is a repository's top.
    Raises UsageError if there is no repository or no such revision, and UnreachableError if git cannot be used.
    """
    commit = _commit(root, name)
    with tempfile.TemporaryDirectory(prefix="hubc-") as folder:
        top = Path(folder).resolve()
        _copy(root, _blobs(root, commit), top)
        (top / ".git").touch()
        yield Revision(name, commit, top)


def _commit(root: Path, name: str) -> str:
    if _git(root, "rev-parse", "--git-dir").returncode:
        raise UsageError(f"{root} is no git repository, so there is no revision '{printable(name)}' to compare with")
    if "\0" not in name:
        done = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        # What is asked as '^main' is answered with a caret.
        if done.returncode == 0 and (commit := done.stdout.decode().strip()).isalnum():
            return commit
    raise UsageError(f"git knows no revision '{printable(name)}'; name a branch, a tag or a commit that is here")


def _blobs(root: Path, commit: str) -> list[_Blob]:
    """Return the files of a commit below `root` that may be needed to compile a spec."""
    done = _git(root, "ls-tree", "-r", "-z", "-l", commit)
    _require(done, f"list the files of {commit}")
    found = [blob for entry in done.stdout.split(b"\0") if entry and (blob := _blob(entry))]
    if _is_too_large(found):
        found = [blob for blob in found if blob.path.endswith(_USUAL)]
    if _is_too_large(found):
        total = sum(blob.size for blob in found)
        raise HubcError(f"{commit} has {len(found):,} files to compile from, {total:,} bytes together; hubc reads at most "
                        f"{MAX_FILES:,} files of {MAX_TOTAL_BYTES:,} bytes")  # fmt: skip
    return found


def _is_too_large(blobs: list[_Blob]) -> bool:
    return len(blobs) > MAX_FILES or sum(blob.size for blob in blobs) > MAX_TOTAL_BYTES


def _blob(entry: bytes) -> _Blob | None:
    """Return a line of `git ls-tree -l`: mode, type, object and size, then a tab and the path."""
    head, _, raw = entry.partition(b"\t")
    mode, kind, object, size = head.decode("ascii").split()
    path = os.fsdecode(raw)
    # 100644 and 100755 are the modes of regular files; a symbolic link is a blob, too.
    limit = MAX_BYTES if path.endswith((".yaml", ".yml")) else MAX_FILE_BYTES
    if kind != "blob" or not mode.startswith("100") or not _is_safe(path):
        return None
    if not size.isdecimal():
        if not path.endswith(_USUAL):
            return None  # a partial clone leaves out what is large
        raise _missing(path)
    return _Blob(path, object, int(size)) if int(size) <= limit else None


def _is_safe(path: str) -> bool:
    """Tell whether a path stays below the folder that it is put in; git itself does not check what a commit holds."""
    parts = path.split("/")
    return not is_private(path) and not any(part in ("", ".", "..") for part in parts)


def _copy(root: Path, blobs: list[_Blob], top: Path) -> None:
    done = _git(root, "cat-file", "--batch", data="".join(f"{blob.object}\n" for blob in blobs).encode())
    _require(done, "read the files of the revision")
    place = 0
    for blob in blobs:
        start = done.stdout.index(b"\n", place) + 1
        if done.stdout[place:start].split() != [blob.object.encode(), b"blob", str(blob.size).encode()]:
            raise _missing(blob.path)
        path = top / blob.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(done.stdout[start : start + blob.size])
        place = start + blob.size + 1


def _missing(path: str) -> HubcError:
    return HubcError(f"git has no content for {printable(path)} at that revision; fetch the revision whole")


def _require(done: subprocess.CompletedProcess[bytes], what: str) -> None:
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise UnreachableError(f"git cannot {what}: {printable(lines[-1]) if lines else f'exit code {done.returncode}'}")


def _git(root: Path, *arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([*_GIT, *arguments], cwd=root, env=_environment(), input=data, capture_output=True,
                              check=False, timeout=LIMIT_SECONDS)  # fmt: skip
    except FileNotFoundError:
        raise UnreachableError("git is not installed, so no revision can be read") from None
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"git gave no answer within {LIMIT_SECONDS} s") from None


def _environment() -> dict[str, str]:
    """Return the environment for git: none of the GIT_ variables that point elsewhere or start programs."""
    kept = {name: value for name in ("PATH", "HOME", "TMPDIR") if (value := os.environ.get(name))}
    return kept | {"LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0",
                   "GIT_NO_LAZY_FETCH": "1", "GIT_PAGER": "cat"}  # fmt: skip
