"""What a plan takes from outside: models by their pinned location, taxonomies by their content."""

from __future__ import annotations

import hashlib
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.digest import digest
from hub_steps.locations import ModelLocation
from hub_steps.taxonomy import KnowledgeLeaf
from hubc.checks.leaf import check_leaf
from hubc.checks.text import check_text
from hubc.errors import SpecError
from hubc.plan import External
from hubc.repository import display_name, leaf_files
from hubc.source import parse
from hubc.spec.document import validate

if TYPE_CHECKING:
    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source

MAX_MODEL_FILES = 10_000


def model_input(location: str, place: Location, source: Source) -> External:
    """Return the input for a model location that stands at `place` in the pipeline's file.

    A folder of this machine is known by the names, sizes and times of its files. Raises SpecError if it cannot be looked at.
    """
    parsed = ModelLocation.parse(location)
    if parsed.scheme != "file":
        return External(uri=location, key=str(parsed))
    try:
        return External(uri=location, key=f"file:{_fingerprint(Path(parsed.path))}")
    except (OSError, ValueError) as error:
        message = f"cannot use '{location}': {error.strerror if isinstance(error, OSError) else error}"
        raise SpecError([source.diagnostic(place, "unreadable-model", message,
                                           "name the folder that holds the model's files")]) from None  # fmt: skip


def _fingerprint(model: Path) -> str:
    """Return a digest of the names, sizes and times in a folder, or of one file; the weights themselves are not read."""
    below = (Path(parent, name) for parent, _, names in os.walk(model) for name in names)
    paths = list(islice(below, MAX_MODEL_FILES + 1)) if model.is_dir() else [model] if model.exists() else []
    if len(paths) > MAX_MODEL_FILES:
        raise ValueError(f"it holds more than {MAX_MODEL_FILES} files")
    entries: list[Any] = []
    for path in paths:
        state = path.stat()
        entries.append([str(path.relative_to(model)), state.st_size, state.st_mtime_ns])
    return hashlib.sha256(repr(sorted(entries)).encode()).hexdigest()


def taxonomy_input(path: str, place: Location, source: Source, root: Path) -> External:
    """Return the leaves of the taxonomy at a path below the repository's top `root`, as documents.

    Raises SpecError with the faults of all leaves.
    """
    if not Path(os.path.realpath(root / path / "knowledge")).is_relative_to(os.path.realpath(root)):
        raise SpecError([source.diagnostic(place, "path-outside-repository", f"'{path}' leads out of the repository",
                                           "keep the taxonomy inside the repository")])  # fmt: skip
    files = leaf_files(root, path)
    if not files:
        raise SpecError([source.diagnostic(place, "empty-taxonomy", f"no leaf 'knowledge/**/qna.yaml' below '{path}'",
                                           f"paths start at the repository's top, {root}; check the path")])  # fmt: skip
    documents: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for file in files:
        try:
            documents[str(file.parent.relative_to(root / path))] = read_leaf(file).model_dump(mode="json")
        except SpecError as error:
            found.extend(error.diagnostics)
    if found:
        raise SpecError(found)
    return External(documents=documents, key=f"sha256:{digest(documents)}")


def read_leaf(file: Path) -> KnowledgeLeaf:
    """Read one leaf of a taxonomy.

    Raises SpecError with every fault of the leaf.
    """
    leaf = parse(file, name=display_name(file))
    return validate(leaf, KnowledgeLeaf, extra=[*check_text(leaf, braces=False), *check_leaf(leaf)])
