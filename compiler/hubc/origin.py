"""Where a plan comes from: the commit and pull request whose spec was compiled."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hubc.errors import UsageError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]*/[A-Za-z0-9_.][-A-Za-z0-9_.]*")


@dataclass(frozen=True)
class Origin:
    """The spec's path in the repository and, where it is known, its commit, pull request and repository on GitHub."""

    spec: str = ""
    commit: str | None = None
    pull_request: int | None = None
    repository: str | None = None

    def __post_init__(self) -> None:
        """Raise UsageError for what is no commit or name of a repository, and for a path that Argo would evaluate."""
        if "{{" in self.spec:
            raise UsageError(f"rename {self.spec}: Argo would evaluate the '{{{{' in its name")
        if self.commit is not None and not _COMMIT.fullmatch(self.commit):
            raise UsageError(f"'{self.commit}' is not a commit; give all 40 hexadecimal digits")
        if self.repository is not None and not _REPOSITORY.fullmatch(self.repository):
            raise UsageError(f"'{self.repository}' is not a repository; write owner/name")
