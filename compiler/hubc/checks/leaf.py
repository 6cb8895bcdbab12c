"""Rules over a knowledge leaf."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source


def check_leaf(source: Source) -> list[Diagnostic]:
    """Return the contexts and questions of a leaf that are written twice; the leaf may have other faults."""
    found: list[Diagnostic] = []
    first: dict[tuple[str, str], int] = {}
    for location, text in _texts(source.data):
        key = (str(location[-1]), " ".join(text.split()))
        line = source.position(location)[0]
        if key in first:
            found.append(source.diagnostic(
                location, "duplicate-text", f"this {key[0]} is already written on line {first[key]}",
                "write another one, or remove it"))  # fmt: skip
        first.setdefault(key, line)
    return found


def _texts(leaf: Any) -> Iterator[tuple[Location, str]]:
    for number, seed in _items(leaf, "seed_examples"):
        yield from _text(seed, "context", ("seed_examples", number))
        for place, pair in _items(seed, "questions_and_answers"):
            yield from _text(pair, "question", ("seed_examples", number, "questions_and_answers", place))


def _items(value: Any, key: str) -> Iterator[tuple[int, Any]]:
    items = value.get(key) if isinstance(value, dict) else None
    yield from enumerate(items if isinstance(items, list) else ())


def _text(value: Any, key: str, location: Location) -> Iterator[tuple[Location, str]]:
    if isinstance(value, dict) and isinstance(value.get(key), str):
        yield (*location, key), value[key]
