"""One commit of a Git repository, taken over the network; nothing is checked out, so nothing in it can run."""

from __future__ import annotations

import base64
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub_steps.contract import RetryableError, StepError, redact

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import GitTaxonomy

STALLED_SECONDS = 60
"""A server that sends less than 1 kB/s for so long is given up."""
MAX_ERROR_CHARACTERS = 300
_OURS = ("GIT_", "HUBC_SECRET_")
"""Variables that git does not get: whoever started the step may trace or redirect it, and only one secret is git's."""
_NO_BARE_COMMITS = ("unadvertised object", "not our ref", "no such remote ref", "couldn't find remote ref")
_REFUSED = ("Authentication failed", "could not read Username", "could not read Password", "Permission denied",
            "returned error: 401", "returned error: 403", "Host key verification failed")  # fmt: skip
_MISSING = ("not found", "does not appear to be a git repository", "does not exist")


@dataclass(frozen=True)
class Entry:
    """A file of a commit; `mode` is Git's, in octal digits, and `size` is in bytes (0 for what has none)."""

    path: str
    mode: str
    blob: str
    size: int


class Repository:
    """A bare repository in `folder` that holds one commit of another one."""

    def __init__(self, folder: Path, source: GitTaxonomy) -> None:
        self.folder, self.source = folder, source
        self.environment = _environment(source)
        self._git("init", "--quiet", "--bare", "--template=", str(folder))

    def fetch(self) -> None:
        """Fetch the commit; from a server that gives only what a name points to, by the source's name for it.

        Raises StepError if it is not there or the repository is not for this step, and RetryableError if the server does
        not answer.
        """
        name = f"refs/pull/{self.source.pull_request}/head" if self.source.pull_request else self.source.ref
        if self._fetched(self.source.commit, "--depth=1"):
            return
        if name and self._fetched(name, "--depth=1"):
            return
        # The name has moved on since: the commit lies somewhere behind it.
        if name and self._fetched(name, *(["--unshallow"] if (self.folder / "shallow").exists() else [])):
            return
        hint = f", and '{name}' does not lead to it" if name else "; name the branch or pull request that it lies on"
        raise StepError(f"{self.source.repository} has no commit {self.source.commit}{hint}")

    def entries(self, folder: str) -> list[Entry]:
        """Return all files of the commit below a folder; none if there is no such folder."""
        listed = self._git("ls-tree", "-r", "-l", "-z", "--full-tree", self.source.commit, "--", f"{folder}/")
        found = []
        for line in filter(None, listed.split(b"\0")):
            about, _, path = line.partition(b"\t")
            mode, _, blob, size = about.decode().split()
            found.append(Entry(path.decode("utf-8", "replace"), mode, blob, int(size) if size.isdigit() else 0))
        return found

    def read(self, entry: Entry) -> bytes:
        """Return the content of a file as it is stored: no filter is applied to it."""
        return self._git("cat-file", "blob", entry.blob)

    def _fetched(self, name: str, *options: str) -> bool:
        """Try to fetch a commit or name; return whether the commit is there now."""
        command = ["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *options, self.source.repository, name]
        done = self._run(*command)
        if done.returncode:
            said = done.stderr.decode(errors="replace")
            if any(words in said for words in _NO_BARE_COMMITS):
                return False
            raise _error(self.source.repository, said)
        return self._run("cat-file", "-e", f"{self.source.commit}^{{commit}}").returncode == 0

    def _git(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.returncode:
            raise StepError(f"git {arguments[0]} failed: {_short(done.stderr.decode(errors='replace'))}")
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = ["git", *(() if arguments[0] == "init" else ("--git-dir", str(self.folder))), *arguments]
        try:
            return subprocess.run(command, env=self.environment, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise StepError("the program 'git' is not installed here") from None


def _environment(source: GitTaxonomy) -> dict[str, str]:
    """Return the environment of git: no configuration but this one, no prompts, no hooks, the token in no file.

    A token is sent to the repository's own server only, so redirections are not followed.
    """
    settings = {
        "core.hooksPath": os.devnull,
        "fetch.fsckObjects": "true",
        "gc.auto": "0",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": str(STALLED_SECONDS),
    }
    if source.token:
        secret = _token(source)
        server = urlsplit(source.repository)
        header = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
        settings[f"http.{server.scheme}://{server.netloc}/.extraHeader"] = f"Authorization: Basic {header}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS) or name.startswith("GIT_SSL_")}
    for number, (name, value) in enumerate(settings.items()):
        kept |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return kept | {
        "GIT_CONFIG_COUNT": str(len(settings)), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ALLOW_PROTOCOL": "file:https:ssh", "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "LC_ALL": "C",
    }  # fmt: skip


def _token(source: GitTaxonomy) -> str:
    assert source.token  # noqa: S101 - asked by the caller
    secret = os.environ.get(source.token.variable, "").strip()
    if not secret:
        raise StepError(f"the repository's token is missing: set {source.token.variable}")
    if not (secret.isascii() and secret.isprintable()):
        raise StepError(f"the repository's token in {source.token.variable} holds characters that no header can carry")
    return secret


def _error(repository: str, said: str) -> StepError:
    if any(words in said for words in _REFUSED):
        return StepError(f"{repository} is not for this step: check 'token' and what it may read: {_short(said)}")
    if any(words in said for words in _MISSING):
        return StepError(f"there is no {repository}, or not for this step: {_short(said)}")
    return RetryableError(f"cannot fetch {repository}: {_short(said)}")


def _short(said: str) -> str:
    return redact(" ".join(said.split()))[:MAX_ERROR_CHARACTERS]
