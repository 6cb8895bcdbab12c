"""The documentation of one field of a spec, as facts: its type in words, its meaning, and the fields below it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from hub_steps.taxonomy import KnowledgeLeaf
from hubc.diagnostics import did_you_mean
from hubc.errors import UsageError
from hubc.spec.fields import meaning, models_in, shape_of
from hubc.spec.generation import GenerationFile
from hubc.spec.pipeline import Pipeline
from hubc.spec.platform import Platform
from hubc.spec.words import allowed, choice_words, default_of, type_words, unit_of, written

if TYPE_CHECKING:
    from pydantic import BaseModel

KINDS: dict[str, type[BaseModel]] = {
    "pipeline": Pipeline,
    "platform": Platform,
    "generation": GenerationFile,
    "leaf": KnowledgeLeaf,
}


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
    """The words of the discriminating key beside it that it goes with; empty if it goes with all."""
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
    for part in parts:
        known = {field for model in models.values() for field in model.model_fields}
        if part not in known:
            remedy = did_you_mean(part, known) if known else "it has no fields"
            raise UsageError(f"{'.'.join(done) or f'a {kind}'} has no field '{part}'; {remedy}")
        done = (*done, part)
        page = _page(kind, done, models)
        models = _variants(next(model for model in models.values() if part in model.model_fields), part)
    order = dict.fromkeys(field for model in models.values() for field in model.model_fields)
    return replace(page, fields=tuple(_page(kind, (*done, field), models) for field in order))


def _split(path: str) -> tuple[str, list[str]]:
    parts = [part for part in path.split(".") if part]
    return (parts[0], parts[1:]) if parts and parts[0] in KINDS else ("pipeline", parts)


def _page(kind: str, path: tuple[str, ...], models: dict[str, type[BaseModel]]) -> FieldPage:
    """Return the page of the field at the end of a path, which stands in one or several of the models."""
    name = path[-1]
    having = {word: model for word, model in models.items() if name in model.model_fields}
    fields = [model.model_fields[name] for model in having.values()]
    meanings = [meaning(model, name) for model in having.values()]
    words = tuple(dict.fromkeys(word for field in fields for word in allowed(shape_of(field))))
    is_tag = len(having) > 1 and words == tuple(having)
    shape, default = shape_of(fields[0]), default_of(fields[0])
    examples = [*map(written, shape.examples), *filter(None, (default, *words))]
    return FieldPage(
        kind,
        ".".join(path),
        choice_words(words) if is_tag else type_words(shape),
        all(field.is_required() for field in fields),
        default,
        words,
        unit_of(name),
        " ".join(meanings) if is_tag else meanings[0],
        next(iter(examples), None),
        () if len(having) == len(models) else tuple(having),
    )


def _variants(model: type[BaseModel], name: str) -> dict[str, type[BaseModel]]:
    """Return the models that a field's values are made of, by the word that chooses each, if a word does."""
    shape = shape_of(model.model_fields[name])
    while not shape.discriminator and get_args(shape.type) and len(shape.arms) == 1:
        shape = shape.element("")
    if shape.tags:
        return {word: arm.model for word, arm in shape.tags.items() if arm.model}
    return {str(number): inner for number, inner in enumerate(models_in(shape))}
