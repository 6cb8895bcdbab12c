"""A published folder in an object store, which cannot replace a folder as a whole: what tells a version goes up last.

While a version goes up, `publishing.json` names its files, so that the next attempt knows them for hubc's own.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps import storage
from hub_steps.contract import FileEntry
from hub_steps.digest import digest_bytes
from hub_steps.publish.manifest import PROVENANCE_FILE, changed, foreign_files, not_ours, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDER_WAY = "publishing.json"
SMALL_BYTES = 1 << 20
"""Files up to here are read to see that nobody changed them; of larger ones, the sizes are compared."""


class Store:
    """Where a model is published in an object store."""

    def __init__(self, uri: str) -> None:
        self.uri = uri.rstrip("/")

    def __str__(self) -> str:
        return self.uri

    def published(self) -> dict[str, Any] | None:
        """Return the provenance of what is published, or None if nothing is there.

        Raises StepError if it holds anything else, or if something was changed since: neither must be lost.
        """
        there = storage.sizes(self.uri)
        found = self._described(there)
        if found and UNDER_WAY not in there:
            self._check(found, there)
        return found

    def described(self) -> dict[str, Any] | None:
        """Return what `published` does, without reading the files.

        Raises StepError if the folder holds files that hubc did not publish.
        """
        return self._described(storage.sizes(self.uri))

    def is_whole(self, provenance: dict[str, Any]) -> bool:
        """Tell whether every file that the provenance names is there, and nothing is half done."""
        there = storage.sizes(self.uri)
        return UNDER_WAY not in there and provenance["files"].keys() <= there.keys()

    def text(self, name: str) -> str:
        """Return the text of a file that is published; empty if it is not there."""
        return storage.read_text(f"{self.uri}/{name}") if storage.exists(f"{self.uri}/{name}") else ""

    def names(self) -> list[str]:
        """Return the names of the files that a version consists of; none if no version is there."""
        there = storage.sizes(self.uri)
        return sorted(there) if PROVENANCE_FILE in there else []

    @contextmanager
    def drafting(self) -> Iterator[Path]:
        """Yield the path of a folder on this machine to make the next version in.

        Nothing keeps others out: a store has no locks. Runs of one pipeline take turns, and no other may publish here.
        """
        with tempfile.TemporaryDirectory(prefix="hubc-publish-") as folder:
            yield Path(folder) / "draft"

    def put(self, draft: Path) -> None:
        """Put the next version in the place of the one that is there; a half that a killed attempt left is finished."""
        before = storage.sizes(self.uri)
        names = storage.file_names(draft)
        # The old version's files stay hubc's own, too, until they are removed.
        told = json.loads((draft / PROVENANCE_FILE).read_text(encoding="utf-8"))
        files = {**dict.fromkeys(before, ""), **told["files"]}
        storage.write_text(f"{self.uri}/{UNDER_WAY}", json.dumps({**told, "files": files}))
        # Whoever reads figures reads those of the old version until all else of the new one is there.
        storage.upload(draft, self.uri, sorted(names, key=lambda name: (name == PROVENANCE_FILE, name.endswith(".json"))))
        storage.remove(self.uri, sorted(before.keys() - set(names) - {UNDER_WAY}))
        storage.remove(self.uri, [UNDER_WAY])

    def entries(self) -> tuple[FileEntry, ...]:
        """Return what is published, file by file."""
        text = self.text(PROVENANCE_FILE)
        told = json.loads(text)
        own = FileEntry(
            path=f"{self.uri}/{PROVENANCE_FILE}", size=len(text.encode()), sha256=digest_bytes(text.encode()), modified_ns=0
        )
        others = (
            FileEntry(path=f"{self.uri}/{name}", size=told["sizes"][name], sha256=sha256, modified_ns=0)
            for name, sha256 in told["files"].items()
        )
        return (*others, own)

    def _described(self, there: dict[str, int]) -> dict[str, Any] | None:
        if not there:
            return None
        found, begun = self._read(PROVENANCE_FILE, there), self._read(UNDER_WAY, there)
        theirs = foreign_files(foreign_files(there, found), begun)
        foreign = [name for name in theirs if not (begun and name == UNDER_WAY)]
        if (found is None and begun is None) or foreign:
            raise not_ours(self, foreign)
        return begun or found

    def _read(self, name: str, there: dict[str, int]) -> dict[str, Any] | None:
        return parse(storage.read_text(f"{self.uri}/{name}")) if name in there else None

    def _check(self, provenance: dict[str, Any], there: dict[str, int]) -> None:
        """Raise StepError if a file is not as it was published."""
        sizes = provenance.get("sizes", {})
        for name, sha256 in provenance["files"].items():
            if name not in there:
                continue
            is_same = there[name] == sizes.get(name)
            if is_same and there[name] <= SMALL_BYTES:
                is_same = digest_bytes(storage.read_bytes(f"{self.uri}/{name}")) == sha256
            if not is_same:
                raise changed(self, name)
