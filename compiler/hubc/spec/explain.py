"""The documentation of one field of a spec, as facts: its type in words, its meaning, and the fields below it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, get_args, get_origin

from hub_steps.parameters import TrainParameters
from hub_steps.parameters.train import APPLIES_TO
from hub_steps.taxonomy import KnowledgeLeaf
from hubc.diagnostics import did_you_mean, nearest
from hubc.errors import UsageError
from hubc.spec.fields import below, meaning, models_in, shape_of
from hubc.spec.generation import GenerationFile
from hubc.spec.pipeline import Phase, Pipeline
from hubc.spec.platform import Platform
from hubc.spec.words import allowed, choice_words, default_of, type_words, unit_of, written
from hubc.vocabulary import meant_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

KINDS: dict[str, type[BaseModel]] = {
    "pipeline": Pipeline,
    "platform": Platform,
    "generation": GenerationFile,
    "leaf": KnowledgeLeaf,
}
MAX_MEANT = 5
"""Fields that are named instead of one that does not exist."""


@dataclass(frozen=True)
class FieldPage:
    """What there is to say of a field; `fields` has a page for each field of a section, without theirs."""

    kind: str
    field: str
    type: str
    required: bool
    default: str | None
    allowed: tuple[str, ...]
    unit: str
    meaning: str
    example: str | None
    only_with: tuple[str, ...] = ()
    """The words of the discriminating key, or the algorithms, that it goes with; empty if it goes with all."""
    inherits: str = ""
    """The section that gives the value if it is left out; empty if the default does."""
    fields: tuple[FieldPage, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the field's path."""
        return self.field.rpartition(".")[2]


def field_page(path: str) -> FieldPage:
    """Return the page of a field such as `spec.train.lora_r` or `platform.spec.argo`; of a kind if the path names none.

    Raises UsageError if there is no such field.
    """
    kind, parts = _split(path)
    models: dict[str, type[BaseModel]] = {"": KINDS[kind]}
    page = FieldPage(kind, "", "a mapping", required=True, default=None, allowed=(), unit="", example=None,
                     meaning=" ".join((KINDS[kind].__doc__ or "").split()))  # fmt: skip
    done: tuple[str, ...] = ()
    takes_name = False
    for number, part in enumerate(parts):
        known = {field for model in models.values() for field in model.model_fields}
        if part not in known:
            if takes_name:
                takes_name = False
                continue
            remedy = _remedy(kind, parts, number, known)
            raise UsageError(f"{'.'.join(done) or f'a {kind}'} has no field '{part}'; {remedy}")
        done = (*done, part)
        page = _page(kind, done, models)
        model = next(model for model in models.values() if part in model.model_fields)
        models, takes_name = _variants(model, part), get_origin(shape_of(model.model_fields[part]).type) is dict
    order = dict.fromkeys(field for model in models.values() for field in model.model_fields)
    return replace(page, fields=tuple(_page(kind, (*done, field), models) for field in order))


def _split(path: str) -> tuple[str, list[str]]:
    """Return the kind that a path starts with, and its names without the list positions that messages show."""
    parts = [part for part in re.sub(r"\[[0-9]*\]", "", path).split(".") if part]
    return (parts[0], parts[1:]) if parts and parts[0] in KINDS else ("pipeline", parts)


def _remedy(kind: str, parts: list[str], number: int, known: set[str]) -> str:
    """Return what was probably meant by a path whose part `number` does not exist beside the `known` fields."""
    part, fields = parts[number], _fields()
    for last in range(len(parts)):
        if last > number or (last and nearest(part, known)):
            break
        if found := _ending(fields, tuple(parts[last:])):
            return _meant(found)
    if not nearest(part, known):
        if found := [path for word in meant_by(part) for path in _ending(fields, (word,))]:
            return _meant(found)
        if found := _called(fields, (path for path, (_, words) in fields.items() if part in words)):
            return f"'{part}' is a value of {_listed(found)}"
        if near := nearest(part, {path[-1] for path in fields}):
            return _meant(_ending(fields, (near,)))
    return did_you_mean(part, known) if known else "it has no fields"


Fields: TypeAlias = dict[tuple[str, ...], tuple[str, set[str]]]
"""Every field by its path below its kind: how one calls it, and the words that it may be."""


def _fields() -> Fields:
    fields: Fields = {}
    for kind, top in KINDS.items():
        for path, (model, name) in below(top):
            full = ".".join(path if kind == "pipeline" else (kind, *path))
            fields.setdefault(path, (full, set()))[1].update(allowed(shape_of(model.model_fields[name])))
    return fields


def _called(fields: Fields, paths: Iterable[tuple[str, ...]]) -> list[str]:
    """Return how one calls some fields, without those that repeat a field of the section around theirs, as phases do."""
    found = set(paths)
    return [full for path, (full, _) in fields.items() if path in found and (*path[:-2], path[-1]) not in found]


def _ending(fields: Fields, parts: tuple[str, ...]) -> list[str]:
    return _called(fields, (path for path in fields if path[-len(parts) :] == parts))


def _meant(paths: list[str]) -> str:
    return f"did you mean {_listed(paths)}?"


def _listed(paths: list[str]) -> str:
    quoted = [f"'{path}'" for path in paths[:MAX_MEANT]]
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))


def _page(kind: str, path: tuple[str, ...], models: dict[str, type[BaseModel]]) -> FieldPage:
    """Return the page of the field at the end of a path, which stands in one or several of the models."""
    name = path[-1]
    having = {word: model for word, model in models.items() if name in model.model_fields}
    fields = [model.model_fields[name] for model in having.values()]
    meanings = [meaning(model, name) for model in having.values()]
    words = tuple(dict.fromkeys(word for field in fields for word in allowed(shape_of(field))))
    is_tag = len(having) > 1 and words == tuple(having)
    inherits = "train" if models.get("0") is Phase and name in TrainParameters.model_fields else ""
    shape, default = shape_of(fields[0]), None if inherits else default_of(fields[0])
    trains = all(issubclass(model, TrainParameters) for model in having.values())
    only_with = () if len(having) == len(models) else tuple(having)
    examples = [*map(written, shape.examples), *words]
    return FieldPage(
        kind,
        ".".join(path),
        choice_words(words) if is_tag else type_words(shape),
        all(field.is_required() for field in fields),
        default,
        words,
        unit_of(name),
        " ".join(meanings) if is_tag else meanings[0],
        next((example for example in examples if example != default), None),
        tuple(sorted(APPLIES_TO.get(name, ()))) if trains else only_with,
        inherits,
    )


def _variants(model: type[BaseModel], name: str) -> dict[str, type[BaseModel]]:
    """Return the models that a field's values are made of, by the word that chooses each, if a word does."""
    shape = shape_of(model.model_fields[name])
    while not shape.discriminator and get_args(shape.type) and len(shape.arms) == 1:
        shape = shape.element("")
    if shape.tags:
        return {word: arm.model for word, arm in shape.tags.items() if arm.model}
    return {str(number): inner for number, inner in enumerate(models_in(shape))}
