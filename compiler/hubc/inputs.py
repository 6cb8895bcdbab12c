"""What a plan takes from outside: models and data by their pinned location, files of the repository by their content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.digest import digest
from hub_steps.locations import REMOTE_FILES, DataLocation, ModelLocation
from hub_steps.taxonomy import KnowledgeLeaf
from hubc.checks.leaf import check_leaf
from hubc.checks.text import check_text, without_secrets
from hubc.content import content_digest, opened
from hubc.diagnostics import has_errors
from hubc.errors import SpecError
from hubc.extends import load
from hubc.lookups import remembered
from hubc.plan import External
from hubc.repository import OutsideError, display_name, inside, leaf_files, stay_inside
from hubc.silence import silence
from hubc.source import parse
from hubc.spec.document import read_spec, validate
from hubc.spec.generation import GenerationFile

if TYPE_CHECKING:
    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source

MAX_FILE_BYTES = 128 * 1024
"""Largest file of the repository that travels inside a plan."""


def model_input(location: str, place: Location, source: Source) -> External:
    """Return the input for a model location that stands at `place` in the pipeline's file.

    A folder of this machine is known by what is in it. Raises SpecError if it cannot be looked at.
    """
    parsed = ModelLocation.parse(location)
    if parsed.scheme != "file":
        return External(uri=location, key=str(parsed))
    return _local(location, parsed.path, place, source, "unreadable-model", "name the folder that holds the model's files")


def _local(location: str, path: str, place: Location, source: Source, rule: str, remedy: str) -> External:
    try:
        return External(uri=location, key=f"sha256:{content_digest(Path(path))}")
    except (OSError, ValueError) as error:
        message = f"cannot use '{location}': {error.strerror if isinstance(error, OSError) else error}"
        raise SpecError([source.diagnostic(place, rule, message, remedy)]) from None


def taxonomy_input(path: str, place: Location, source: Source, root: Path) -> External:
    """Return the leaves of the taxonomy at a path below the repository's top `root`, as documents.

    Raises SpecError with the faults of all leaves.
    """
    _inside(path, place, source, root)
    _inside(f"{path}/knowledge", place, source, root)
    if (leaves := _leaves(root, path)) is None:
        raise SpecError([source.diagnostic(place, "empty-taxonomy", f"no leaf 'knowledge/**/qna.yaml' below '{path}'",
                                           f"paths start at the repository's top, {root}; check the path")])  # fmt: skip
    return leaves


@remembered
def _leaves(root: Path, path: str) -> External | None:
    """Read the leaves of a taxonomy; None if there are none."""
    documents: dict[str, Any] = {}
    found: list[Diagnostic] = []
    for file in leaf_files(root, path):
        leaf, findings = read_leaf(file, root)
        found += findings
        if leaf:
            documents[str(file.parent.relative_to(root / path))] = leaf.model_dump(mode="json")
    if has_errors(found):
        raise SpecError(found)
    return documents_input(documents) if documents else None


def documents_input(documents: dict[str, Any]) -> External:
    """Return an input whose content travels inside the plan."""
    return External(documents=documents, key=f"sha256:{digest(documents)}")


def file_input(path: str, place: Location, source: Source, root: Path) -> External:
    """Return a text file of the repository, as documents `path` and `text`; `path` stands at `place` in the pipeline's file.

    Raises SpecError if it is not there, leads out of the repository, is no text or too large to travel inside a plan.
    """
    return documents_input({"path": path, "text": read_text(path, place, source, root)})


def generation_input(path: str, place: Location, source: Source, root: Path) -> External:
    """Return a generation pipeline of the user's own, as a document; its path stands at `place` in the pipeline's file.

    Raises SpecError with every fault of the file.
    """
    read_text(path, place, source, root)
    own = load(root / path, root, name=display_name(root / path))
    found, spec = check_text(own, braces=True), None
    try:
        spec = read_spec(own)
    except SpecError as error:
        found += error.diagnostics
    if has_errors(left := without_secrets(silence(found, [own]))):
        raise SpecError(left)
    if not isinstance(spec, GenerationFile) or spec.partial:
        remedy = "name a file of 'kind: GenerationPipeline' without 'partial: true'"
        raise SpecError([source.diagnostic(place, "invalid-value", f"'{path}' is not a usable generation pipeline", remedy)])
    return documents_input(spec.spec.model_dump(mode="json"))


def read_text(path: str, place: Location, source: Source, root: Path) -> str:
    """Return the text of a file of the repository that a spec names at `place`.

    Raises SpecError as `file_input` does.
    """
    file = _inside(path, place, source, root)
    try:
        with opened(file) as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
        if len(raw) > MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {MAX_FILE_BYTES // 1024} KiB")
        return raw.decode("utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else (
            "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error)  # fmt: skip
        remedy = "name a small text file of the repository; larger ones belong into a store ('s3://', 'hf://datasets/')"
        raise SpecError([source.diagnostic(place, "unreadable-file", f"cannot use '{path}': {reason}", remedy)]) from None


def _inside(path: str, place: Location, source: Source, root: Path) -> Path:
    try:
        return inside(root, path)
    except OutsideError as error:
        remedy = "name a file or folder that lies in the repository itself"
        raise SpecError([source.diagnostic(place, "path-outside-repository", str(error), remedy)]) from None


def dataset_input(location: str, sha256: str | None, place: Location, source: Source, root: Path) -> External:
    """Return the input for a data file; its location stands at `place` in the pipeline's file.

    Raises SpecError if it cannot be looked at, or if nothing pins its content.
    """
    parsed = DataLocation.parse(location)
    if not parsed.scheme and location.lower().endswith(".parquet"):
        raise SpecError([source.diagnostic(place, "unreadable-file", f"cannot use '{location}': parquet is no text, so it "
                                           "cannot travel inside a plan", "put the file into a store ('s3://', "
                                           "'hf://datasets/'), or convert it to JSON lines")])  # fmt: skip
    if not parsed.scheme:
        return documents_input({"text": read_text(location, place, source, root)})
    if sha256 is not None:
        return External(uri=location, key=f"sha256:{sha256}")
    if parsed.scheme in REMOTE_FILES:
        raise SpecError([source.diagnostic(place, "unpinned-revision", f"nothing pins the content of '{location}'",
                                           "add the file's digest: sha256: 64 hexadecimal digits")])  # fmt: skip
    if parsed.scheme == "file":
        return _local(location, parsed.path, place, source, "unreadable-data", "name a file on this machine")
    return External(uri=location, key=location)


def read_leaf(file: Path, root: Path) -> tuple[KnowledgeLeaf | None, list[Diagnostic]]:
    """Read one leaf of a taxonomy in the repository at `root`; also return its findings, with an error there is no leaf."""
    try:
        stay_inside(file, root, display_name(file))
        source = parse(file, name=display_name(file))
    except SpecError as error:
        return None, list(error.diagnostics)
    leaf, found = None, [*check_text(source, braces=False), *check_leaf(source)]
    try:
        leaf = validate(source, KnowledgeLeaf, [])
    except SpecError as error:
        found += error.diagnostics
    left = without_secrets(silence(found, [source]))
    return None if has_errors(left) else leaf, left
