"""The fields of a spec by their location, and what they mean: the docstrings below them, read only when somebody asks.

Pydantic can collect them itself (`use_attribute_docstrings`), but does so for every class at every start of the program.
"""

from __future__ import annotations

import ast
import inspect
import sys
import types
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

if TYPE_CHECKING:
    from hubc.source import Location


def keys_at(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys that the mapping at a location may have; none if it is no mapping of fixed keys."""
    here, _ = _walk(model, location)
    return list(here.model_fields) if _is_model(here) else []


def meaning_at(model: type[BaseModel], location: Location) -> str:
    """Return what the value at a location means, or the field that it is an element of; empty if that is not said."""
    _, owner = _walk(model, location)
    return meaning(*owner) if owner else ""


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
    return {node.name: _fields(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> dict[str, str]:
    found = {}
    for line, after in zip(node.body, node.body[1:], strict=False):
        match line, after:
            case (ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text)))):
                found[name] = " ".join(text.split())
    return found


def _walk(model: type[BaseModel], location: Location) -> tuple[Any, tuple[type[BaseModel], str] | None]:
    """Return the type at a location, and the model and name of the last field on the way."""
    here: Any = model
    owner = None
    for part in location:
        if _is_model(here):
            owner = (here, str(part))
            field = here.model_fields.get(str(part))
            here = _unwrap(field.annotation) if field else None
        else:
            here = _element(here)
    return here, owner


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _unwrap(annotation: Any) -> Any:
    """Strip `Annotated` and `| None` from a type."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next((arm for arm in get_args(annotation) if arm is not type(None)), None)
    if hasattr(annotation, "__metadata__"):
        return _unwrap(get_args(annotation)[0])
    return annotation


def _element(annotation: Any) -> Any:
    """Return the type of the values in a dict, tuple or list type."""
    arguments = [arm for arm in get_args(annotation) if arm is not Ellipsis]
    return _unwrap(arguments[-1]) if arguments else None
