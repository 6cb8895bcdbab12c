"""Where models and data are: pinned references that mean the same on every machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field

FORMS = "'hf://organisation/name@commit', 'pypi://distribution@version/path' or 'file:///absolute/folder'"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9._]*[A-Za-z0-9])?"
_HF = re.compile(rf"(?P<name>{_NAME}/{_NAME})(?:@(?P<revision>[-A-Za-z0-9._]+))?(?:/(?P<path>.+))?")
_PYPI = re.compile(rf"(?P<name>{_NAME})(?:@(?P<revision>[A-Za-z0-9][-A-Za-z0-9._+!]*))?(?:/(?P<path>.+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"sha256=(?P<digest>[0-9a-f]{64})")


_PRIVATE = frozenset({".git", ".hubc"})


def is_private(path: str) -> bool:
    """Tell whether a path leads to what git and hubc keep in a repository for themselves: passwords, hooks, runs."""
    return any(part.casefold() in _PRIVATE for part in path.split("/"))


class UnpinnedError(ValueError):
    """A location without a revision, so that its content may change between two runs."""


@dataclass(frozen=True)
class ModelLocation:
    """A parsed model location; `path` is the file inside, or the folder itself for `file`."""

    scheme: str
    name: str
    revision: str
    path: str
    sha256: str | None

    @classmethod
    @lru_cache(maxsize=256)
    def parse(cls, text: str) -> ModelLocation:
        """Take a location apart.

        Raises ValueError if it has another form, and UnpinnedError if it names no revision.
        """
        parts = urlsplit(text)
        digest = _SHA256.fullmatch(parts.fragment)
        if parts.fragment and not (digest and parts.scheme == "pypi"):
            raise ValueError(f"'#{parts.fragment}' is not understood; only pypi locations end in '#sha256=<64 hex digits>'")
        if parts.scheme == "file":
            if parts.netloc or not parts.path.startswith("/"):
                raise ValueError("a file location needs an absolute path, as in 'file:///models/llama'")
            return cls("file", "", "", _plain_path(unquote(parts.path)), None)
        pattern = {"hf": _HF, "pypi": _PYPI}.get(parts.scheme)
        found = pattern.fullmatch(parts.netloc + parts.path) if pattern else None
        if found is None or parts.query:
            raise ValueError(f"'{text}' is not a model location; write {FORMS}")
        _demand_pin(text, found["revision"], is_commit=parts.scheme == "hf")
        if parts.scheme == "pypi" and not found["path"]:
            raise ValueError(f"'{text}' names no file inside the distribution")
        path = _plain_path(found["path"] or "")
        return cls(parts.scheme, found["name"], found["revision"], path, digest["digest"] if digest else None)

    def __str__(self) -> str:
        if self.scheme == "file":
            return f"file://{self.path}"
        path = f"/{self.path}" if self.path else ""
        return f"{self.scheme}://{self.name}@{self.revision}{path}" + (f"#sha256={self.sha256}" if self.sha256 else "")


def _demand_pin(text: str, revision: str | None, *, is_commit: bool) -> None:
    """Raise UnpinnedError unless a location names a revision, which on a model hub is a commit."""
    if not revision:
        raise UnpinnedError(f"'{text}' names no revision, so its content may change between two runs")
    if is_commit and not _COMMIT.fullmatch(revision):
        raise UnpinnedError(f"'{revision}' is a branch or tag, so its content may change between two runs")


def _plain_path(path: str) -> str:
    if ".." in PurePosixPath(path).parts:
        raise ValueError("a location must not contain '..'")
    return path


def _check(text: str) -> str:
    ModelLocation.parse(text)
    return text


ModelUri = Annotated[
    str,
    AfterValidator(_check),
    Field(examples=["hf://HuggingFaceTB/SmolLM2-135M-Instruct@12fd25f77366fa6b3b4b768ec3050bf629380bac"]),
]


REMOTE_FILES = ("s3", "gs", "az", "https")
"""Schemes whose locations name no revision, so that the content is pinned by a digest beside them."""
_HF_DATA = re.compile(rf"datasets/(?P<name>{_NAME}/{_NAME})(?:@(?P<revision>[-A-Za-z0-9._]+))?(?:/(?P<path>.+))?")


@dataclass(frozen=True)
class DataLocation:
    """A parsed location of one data file; `scheme` is empty for a path in the repository."""

    scheme: str
    name: str
    revision: str
    path: str

    @classmethod
    def parse(cls, text: str) -> DataLocation:
        """Take a location apart.

        Raises ValueError if it has another form, and UnpinnedError if it names no revision where it could.
        """
        scheme, colon, rest = text.partition("://")
        if not colon:
            return cls("", "", "", _repository_path(text))
        if scheme in ("file", "pypi"):
            model = ModelLocation.parse(text)
            return cls(scheme, model.name, model.revision, model.path)
        if scheme in REMOTE_FILES:
            parts = urlsplit(text)
            if "@" in parts.netloc or not parts.netloc or parts.path in ("", "/") or parts.query or parts.fragment:
                raise ValueError(f"'{text}' names no file; write {scheme}://host-or-bucket/path, without query or password")
            return cls(scheme, parts.netloc, "", _plain_path(parts.path.lstrip("/")))
        found = _HF_DATA.fullmatch(rest) if scheme == "hf" else None
        if found is None or not found["path"]:
            raise ValueError(f"'{text}' is not a data location; write {DATA_FORMS}")
        _demand_pin(text, found["revision"], is_commit=True)
        return cls("hf", found["name"], found["revision"], _plain_path(found["path"]))


DATA_FORMS = (
    "a path in the repository, 'hf://datasets/organisation/name@commit/path', 's3://bucket/path', "
    "'pypi://distribution@version/path' or 'file:///absolute/path'"
)


def _repository_path(text: str) -> str:
    if not text or text.startswith("/") or "\\" in text or ":" in text:
        raise ValueError(f"'{text}' is not a data location; write {DATA_FORMS}")
    if is_private(text):
        raise ValueError(f"'{text}' leads to what git or hubc keep for themselves")
    return _plain_path(text)


def _check_data(text: str) -> str:
    DataLocation.parse(text)
    return text


DataUri = Annotated[
    str,
    AfterValidator(_check_data),
    Field(min_length=1, max_length=1000, examples=["specs/data/skills.jsonl"]),
]
