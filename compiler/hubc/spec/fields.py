"""The fields of a spec by their location: their types as people meet them, and what they mean.

Meanings are the docstrings below the fields, read only when somebody asks. Pydantic can collect them itself
(`use_attribute_docstrings`), but does so for every class at every start of the program.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.source import Location

Owner = tuple[type[BaseModel], str]


@dataclass(frozen=True)
class Shape:
    """A type without `Annotated` and `| None`, and what was said beside it."""

    type: Any
    constraints: tuple[Any, ...] = ()
    discriminator: str = ""
    examples: tuple[Any, ...] = ()

    @property
    def model(self) -> type[BaseModel] | None:
        """The model, if values are mappings of fixed keys."""
        return self.type if isinstance(self.type, type) and issubclass(self.type, BaseModel) else None

    @property
    def arms(self) -> tuple[Shape, ...]:
        """The alternatives; the shape itself if there is only one."""
        if get_origin(self.type) not in (Union, types.UnionType):
            return (self,)
        return tuple(shape_of(arm) for arm in get_args(self.type) if arm is not types.NoneType)

    @property
    def tags(self) -> dict[str, Shape]:
        """The alternatives by the words of the discriminating key, if there is such a key."""
        found = {}
        for arm in self.arms if self.discriminator else ():
            if arm.model:
                words = get_args(shape_of(arm.model.model_fields[self.discriminator]).type)
                found.update({str(word): arm for word in words})
        return found

    @property
    def keys(self) -> list[str]:
        """The keys that a mapping may have; none if it has no fixed ones."""
        return sorted({key for arm in self.arms if arm.model for key in arm.model.model_fields})

    def element(self, part: str | int) -> Shape:
        """Return the type of one value in a dict, tuple or list, or of a dict's keys."""
        arguments = [arm for arm in get_args(self.type) if arm is not Ellipsis]
        if not arguments:
            return Shape(Any)
        return shape_of(arguments[0 if part == "[key]" or get_origin(self.type) is not dict else -1])


@dataclass(frozen=True)
class Choice:
    """A choice between types that no key decides."""

    location: Location
    shape: Shape
    owner: Owner | None
    arm: str
    """Pydantic's name of the alternative that was tried."""


@dataclass(frozen=True)
class Place:
    """Where a validation error is: in the data, and in the models."""

    location: Location
    """Path in the data: without the names of alternatives, which pydantic puts between."""
    shape: Shape
    """What may stand there."""
    owner: Owner | None
    """The last field on the way."""
    siblings: tuple[str, ...] = ()
    """The keys that are known beside it."""
    choice: Choice | None = None
    """The outermost choice on the way."""

    @property
    def meaning(self) -> str:
        """What the value means, or the field that it is an element of; empty if that is not said."""
        return meaning(*self.owner) if self.owner else ""


def shape_of(annotation: Any) -> Shape:
    """Return the shape of a type or of a field."""
    constraints: list[Any] = []
    discriminator, examples = "", ()
    while True:
        notes: tuple[Any, ...] = ()
        if isinstance(annotation, FieldInfo):
            notes, annotation = (annotation,), annotation.annotation
        elif hasattr(annotation, "__metadata__"):
            notes, annotation = annotation.__metadata__, annotation.__origin__
        elif get_origin(annotation) in (Union, types.UnionType) and len(_without_none(annotation)) == 1:
            annotation = _without_none(annotation)[0]
        else:
            return Shape(annotation, tuple(constraints), discriminator, examples)
        for note in notes:
            constraints += note.metadata if isinstance(note, FieldInfo) else [note]
            discriminator = getattr(note, "discriminator", None) or discriminator
            examples = tuple(getattr(note, "examples", None) or examples)


def locate(model: type[BaseModel], location: Location) -> Place:
    """Return the place of a location as pydantic gives it; for the key of an entry, it ends with `[key]`."""
    if location[-1:] == ("[key]",):
        mapping = locate(model, location[:-2])
        return replace(mapping, location=location, shape=mapping.shape.element("[key]"))
    shape, owner, path = Shape(model), None, list[str | int]()
    siblings: tuple[str, ...] = ()
    choice = None
    for part in location:
        if part in shape.tags:
            shape = shape.tags[str(part)]
        elif len(shape.arms) > 1 and not shape.discriminator:
            choice = choice or Choice(tuple(path), shape, owner, str(part))
            shape = _arm(shape, str(part))
        else:
            path.append(part)
            if shape.model:
                owner, siblings = (shape.model, str(part)), tuple(shape.model.model_fields)
                field = shape.model.model_fields.get(str(part))
                shape = shape_of(field) if field else Shape(Any)
            else:
                shape = shape.element(part)
    return Place(tuple(path), shape, owner, siblings, choice)


def below(
    model: type[BaseModel], path: tuple[str, ...] = (), seen: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Owner]]:
    """Yield the path and owner of every field of a model and of all that it is made of, the outer ones first."""
    for name, field in model.model_fields.items():
        yield (*path, name), (model, name)
        for inner in models_in(shape_of(field)):
            if inner not in seen:
                yield from below(inner, (*path, name), (*seen, inner))


def models_in(shape: Shape) -> list[type[BaseModel]]:
    """Return the models that the values of a shape are made of, through lists, mappings and alternatives."""
    if shape.model:
        return [shape.model]
    inner = shape.arms if len(shape.arms) > 1 else [shape_of(part) for part in get_args(shape.type) if part is not Ellipsis]
    if get_origin(shape.type) is Literal:
        inner = []
    return list(dict.fromkeys(model for part in inner for model in models_in(part)))


def meaning(model: type[BaseModel], field: str) -> str:
    """Return what a field of a model means, on one line; empty if it is not documented."""
    for owner in model.__mro__:
        if text := _docstrings(owner.__module__).get(owner.__name__, {}).get(field):
            return text
    return ""


@cache
def _docstrings(module: str) -> dict[str, dict[str, str]]:
    """Return class -> field -> docstring for the classes of a module."""
    if module.partition(".")[0] not in ("hubc", "hub_steps"):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: _documented(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _documented(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for line, after in zip(node.body, node.body[1:], strict=False):
        match line, after:
            case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                found[name] = " ".join(text.split())
    return found


def _without_none(annotation: Any) -> list[Any]:
    return [arm for arm in get_args(annotation) if arm is not types.NoneType]


def _arm(shape: Shape, label: str) -> Shape:
    """Return the alternative that pydantic calls `label`, such as `Model`, `list[int]` or `function-after[check(), str]`."""
    while inner := re.fullmatch(r"function-[a-z]+\[.*?\(\), (.*)\]", label):
        label = inner[1]
    head = label.removeprefix("constrained-").partition("[")[0]
    for arm in shape.arms:
        kind = get_origin(arm.type) or arm.type
        if head == getattr(kind, "__name__", "").lower() or head == getattr(kind, "__name__", ""):
            return arm
    return Shape(Any)
