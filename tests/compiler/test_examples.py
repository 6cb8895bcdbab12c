"""The example specs: each has a golden plan, and together they write every field of the language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hubc.examine import examine
from hubc.extends import load
from hubc.repository import LEAF
from hubc.spec.document import KINDS
from hubc.spec.fields import Shape, models_in, shape_of
from hubc.workspace import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent.parent
SPECS = ROOT / "specs"
GOLDEN = Path(__file__).parent / "golden" / "plans"
PIPELINES = sorted((SPECS / "pipelines").glob("*.yaml"))


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_plan(path: Path, golden: Callable[[Path, str], None]) -> None:
    examined = examine(path, ROOT, LOCAL, is_chosen=False)
    assert not examined.errors
    assert examined.plan is not None
    golden(GOLDEN / f"{path.stem}.json", json.dumps(examined.plan.as_data(), indent=1) + "\n")


def test_every_field_is_written_somewhere() -> None:
    written: set[tuple[str, str]] = set()
    for path in (path for path in SPECS.rglob("*.yaml") if path.name != LEAF):
        source = load(path, ROOT)
        written |= set(_written(Shape(KINDS[source.data["kind"]]), source.data))
        if source.bases:
            written.add(("Spec", "extends"))
    seen: set[type[BaseModel]] = set()
    known = {field for kind in KINDS.values() for field in _known(kind, seen)}
    assert sorted(known - written) == []


def _written(shape: Shape, data: Any) -> Iterator[tuple[str, str]]:
    """Yield the model and name of every field that the data of a spec writes."""
    if isinstance(data, dict) and (model := _model(shape, data)):
        for key, value in data.items():
            yield from ((owner.__name__, key) for owner in model.__mro__ if key in getattr(owner, "__annotations__", {}))
            yield from _written(shape_of(model.model_fields[key]), value)
    elif isinstance(data, dict | list):
        items = data.items() if isinstance(data, dict) else enumerate(data)
        for part, value in items:
            yield from _written(shape.element(part), value)


def _model(shape: Shape, data: dict[str, Any]) -> type[BaseModel] | None:
    if shape.tags:
        return shape.tags[data[shape.discriminator]].model
    return next((arm.model for arm in shape.arms if arm.model), None)


def _known(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[tuple[str, str]]:
    """Yield the model that declares it, and the name, of every field that a spec can write."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        owner = next(cls for cls in model.__mro__ if name in getattr(cls, "__annotations__", {}))
        yield owner.__name__, name
        for inner in models_in(shape_of(field)):
            yield from _known(inner, seen)
