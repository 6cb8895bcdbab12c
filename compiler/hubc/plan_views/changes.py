"""What differs between two descriptions of a step's work: the very fields and inputs, with their old and new value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pydantic import BaseModel

from hub_steps.contract import PARAMETERS
from hub_steps.digest import canonical, digest
from hubc.plan import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.plan import External, Step

What = Literal["code", "parameter", "input", "document", "upstream", "setting"]
How = Literal["changed", "added", "removed"]
Path = tuple[str, ...]

ABSENT: Any = object()
"""Stands for a key that a mapping does not have; `None` is a value."""


@dataclass(frozen=True)
class Change:
    """One difference; `before` or `after` is None where there was or is nothing.

    `what` says what `field` names: a `parameter` by its dotted path, an `input`, a `document` as `input/name`, an input
    whose `upstream` `step` makes another output, the version of hubc's own `code`, or another `setting` of the step.
    """

    what: What
    field: str
    before: Any = None
    after: Any = None
    how: How = "changed"
    step: str | None = None


def material_changes(step: Step, old: Mapping[str, Any]) -> list[Change]:
    """Return what sets a step apart from one of the same id that was known by the material `old`."""
    new = step.material
    fields = list(_differing(_mapping(old.get("parameters")), new["parameters"]))
    own = [field for field in fields if _is_hubcs(step.kind, *field)]
    versions = old.get("code_version"), new["code_version"]
    found = [Change("code", "code_version", *versions)] if own or versions[0] != versions[1] else []
    found += [change for field in fields if field not in own for change in field_changes("parameter", *field)]
    return [*found, *_input_changes(step, _mapping(old.get("inputs")))]


def mapping_changes(what: What, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield one change for each value that differs between two nested mappings."""
    for path, old, new in _differing(before, after):
        yield from field_changes(what, path, old, new)


def field_changes(what: What, path: Path, before: Any, after: Any) -> Iterator[Change]:
    """Yield the change of one value; a mapping that came or went is told field by field."""
    old, new = _value(before), _value(after)
    if isinstance(new, Mapping) and old is None:
        for place, value in _set_leaves(new, path):
            yield Change(what, ".".join(place), None, value, "added")
    elif isinstance(old, Mapping) and new is None:
        for place, value in _set_leaves(old, path):
            yield Change(what, ".".join(place), value, None, "removed")
    else:
        how: How = "added" if before is ABSENT else "removed" if after is ABSENT else "changed"
        yield Change(what, ".".join(path), old, new, how)


def document_changes(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield one change for each document of an input that came, went, or is another one.

    A document of several values is told by its digest.
    """
    for path, old, new in _differing(before, after, deep=False):
        how: How = "added" if old is ABSENT else "removed" if new is ABSENT else "changed"
        yield Change("document", f"{name}/{path[0]}", _document(old), _document(new), how)


def input_text(value: Reference | External) -> str:
    """Return what an input is known by: the step and file that make it, a location that pins its content, or a digest."""
    if isinstance(value, Reference):
        return f"{value.step}/{value.path}" if value.path else value.step
    return value.uri if value.uri and "://" in value.key else value.key


def _input_changes(step: Step, old: Mapping[str, Any]) -> Iterator[Change]:
    for (name,), before, after in _differing(old, step.material["inputs"], deep=False):
        value = step.inputs.get(name)
        if before is ABSENT or after is ABSENT or value is None:
            known = input_text(value) if value else None
            yield Change("input", name, None if before is ABSENT else before, known, "removed" if known is None else "added")
        elif isinstance(value, Reference) and str(before).partition("/")[1:] == ("/", value.path):
            yield Change("upstream", name, before, after, step=value.step)
        else:
            yield Change("input", name, before, after if isinstance(value, Reference) else input_text(value))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any], path: Path = (), *, deep: bool = True) -> Iterator[
    tuple[Path, Any, Any]
]:  # fmt: skip
    """Yield path, old and new value of what differs, in the order of `after`; mappings on both sides are looked into."""
    for name in dict.fromkeys((*after, *before)):
        old, new = before.get(name, ABSENT), after.get(name, ABSENT)
        if deep and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differing(old, new, (*path, name))
        # As in a cache key, 1 and 1.0 and true are three values.
        elif old is ABSENT or new is ABSENT or canonical(old) != canonical(new):
            yield (*path, name), old, new


def _value(value: Any) -> Any:
    return None if value is ABSENT else value


def _set_leaves(value: Mapping[str, Any], path: Path) -> list[tuple[Path, Any]]:
    """Return the values in a nested mapping that are not null; the mapping itself if there are none."""
    return [leaf for leaf in _leaves(value, path) if leaf[1] is not None] or [(path, value)]


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for name, item in value.items():
        yield from _leaves(item, (*path, name))


def _is_hubcs(kind: str, path: Path, before: Any, after: Any) -> bool:
    """Tell whether a field came with its default, or went, because another version of hubc knows other fields."""
    if before is not ABSENT and after is not ABSENT:
        return False
    models: list[type[BaseModel]] = [PARAMETERS[kind]] if kind in PARAMETERS else []
    for part in path[:-1]:
        models = [arm for model in models if (field := model.model_fields.get(part)) for arm in _arms(field.annotation)]
    if after is ABSENT:
        return bool(models)
    fields = (model.model_fields.get(path[-1]) for model in models)
    return any(canonical(_plain(field.get_default(call_default_factory=True))) == canonical(after)
               for field in fields if field and not field.is_required())  # fmt: skip


def _arms(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a field may hold; the values of a collection are not meant."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (dict, list, tuple):
        return []
    return [arm for part in get_args(annotation) for arm in _arms(part)]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _document(value: Any) -> Any:
    return f"sha256:{digest(value)}" if isinstance(value, Mapping | list) else _value(value)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
