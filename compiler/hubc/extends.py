"""A spec and the files that it extends, as one source: `extends: specs/base.yaml` takes over what this file does not say."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hubc.errors import SpecError
from hubc.positions import Place
from hubc.reader import copied
from hubc.repository import OutsideError, display_name, inside, real_path, stay_inside
from hubc.source import Source, parse_text, read_text

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from hubc.diagnostics import Diagnostic

MAX_LEVELS = 8
MAX_PATH = 1000
OWN_KEYS = frozenset({"extends", "partial"})
OWN_METADATA = frozenset({"name", "description"})
"""What a file says of itself alone, and no other takes over."""

CHOICES = (
    frozenset({"path", "git"}),
    frozenset({"serve", "endpoint"}),
    frozenset({"local", "argo"}),
    frozenset({"claim", "location"}),
)
"""Keys of which a section needs exactly one: writing one of them replaces another that the base wrote."""

_parse_base = lru_cache(maxsize=16)(parse_text)
"""Many specs extend one file. The text is the key, so a file that changes is read anew."""


def load(path: Path, root: Path, *, name: str | None = None) -> Source:
    """Read a spec and the files that it extends, which are paths below the repository's top `root`.

    Mappings are merged key by key and the extending file wins; lists and single values are replaced whole. Every place is
    in the file that wrote it. Raises SpecError if a file cannot be read or extended.
    """
    file = name or str(path)
    top = real_path(root)
    stay_inside(path, root, file)
    source = parse_text(read_text(path, file), file)
    return _extended(source, top, (os.path.relpath(os.path.realpath(path), top),)) if "extends" in source.data else source


def _extended(source: Source, top: str, chain: tuple[str, ...]) -> Source:
    """Return the source merged with what it extends; `chain` are the files on the way here, this one last."""
    if "extends" not in source.data:
        return source
    base_path = _base_path(source, top)
    chain = (*chain, base_path)
    if base_path in chain[:-1] or len(chain) > MAX_LEVELS + 1:
        fault = "extends itself" if base_path in chain[:-1] else f"extends more than {MAX_LEVELS} levels of files"
        raise SpecError([_fault(source, "extends-cycle", f"this {fault}: {' -> '.join(chain)}",
                                "remove 'extends' from one of the files")])  # fmt: skip
    path = Path(top, base_path)
    name = display_name(path)
    base = _extended(_parse_base(read_text(path, name), name), top, chain)
    if base.data.get("kind") != source.data.get("kind"):
        raise SpecError([_fault(source, "extends-kind", f"'{base_path}' is {_kind(base)}, this file {_kind(source)}",
                                "write the same 'kind' in both, or extend another file")])  # fmt: skip
    return _merged(source, base, base_path)


def _kind(source: Source) -> str:
    kind = source.data.get("kind")
    return f"of kind '{kind}'" if isinstance(kind, str) and len(kind) < MAX_PATH else "of no kind"


def _base_path(source: Source, top: str) -> str:
    """Return the path of the file that a source extends, from `top` on and without links."""
    value = source.data["extends"]
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > MAX_PATH:
        raise SpecError([_fault(source, "wrong-type", "'extends' must be the path of a file",
                                "write a path from the repository's top, such as specs/pipelines/base.yaml")])  # fmt: skip
    try:
        path = inside(Path(top), os.path.normpath(value))  # `..` is resolved by name, as people read it
    except OutsideError as error:
        raise SpecError([_fault(source, "path-outside-repository", str(error),
                                "write a path from the repository's top to a file inside it")]) from None  # fmt: skip
    if path.suffix not in (".yaml", ".yml"):
        raise SpecError([_fault(source, "invalid-value", f"'{value}' is no YAML file",
                                "extend a spec: a file that ends in '.yaml' or '.yml'")])  # fmt: skip
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for a name that is too long
        raise SpecError([_fault(source, "unreadable-file", f"there is no file '{value}'",
                                f"paths start at the repository's top, {top}; check the path")])  # fmt: skip
    return os.path.relpath(path, top)


def _fault(source: Source, rule: str, message: str, help: str) -> Diagnostic:
    return source.diagnostic(("extends",), rule, message, help)


def _merged(over: Source, base: Source, base_path: str) -> Source:
    data, place = _without(base.data, base.root, OWN_KEYS)
    if isinstance(metadata := data.get("metadata"), dict):
        data["metadata"], below = _without(metadata, place.child("metadata"), OWN_METADATA)
        if place.children is not None:
            place.children["metadata"] = below
    data, place = _merge(*_without(over.data, over.root, frozenset({"extends"})), data, place)
    return Source(over.text, data, place, {base_path: base.text, **base.bases})


def _without(data: dict[str, Any], place: Place, keys: AbstractSet[str]) -> tuple[dict[str, Any], Place]:
    """Return a mapping and its place without some of its keys."""
    kept = {key: value for key, value in data.items() if key not in keys}
    children: dict[str | int, Place] | None = None
    if place.children is not None:
        children = {key: place.children[key] for key in kept}
    return kept, Place(place.text, place.key, place.span, children)


def _merge(over: dict[str, Any], place: Place, base: dict[str, Any], base_place: Place) -> tuple[dict[str, Any], Place]:
    """Return the mapping `over` with what only `base` says; nothing of `base` itself, which other specs share, is in it."""
    data = dict(over)
    children: dict[str | int, Place] = {key: place.child(key) for key in over}
    for key, value in base.items():
        if any(key in choice and not choice.isdisjoint(over.keys() - {key}) for choice in CHOICES):
            continue
        if key not in over:
            data[key], children[key] = copied(value), base_place.child(key)
        elif isinstance(value, dict) and isinstance(over[key], dict):
            data[key], children[key] = _merge(over[key], place.child(key), value, base_place.child(key))
    return data, Place(place.text, place.key, place.span, children)
