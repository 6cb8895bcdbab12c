"""A matrix: one variant of the pipeline for each combination of values, and one plan for all, shared steps once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps.digest import digest
from hubc.errors import SpecError
from hubc.plan import Reference
from hubc.spec.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hubc.plan import Input, Step
    from hubc.source import Location, Source

MAX_VARIANTS = 200
MAX_NAME = 40
NOT_SWEPT = frozenset({"matrix", "schedule", "notify", "tracking"})
"""Sections that are about all variants together."""


@dataclass(frozen=True)
class Variant:
    """One combination of a matrix: its name, swept field -> value, and the pipeline with these values."""

    name: str
    values: dict[str, Any]
    pipeline: Pipeline


def expand(pipeline: Pipeline, source: Source) -> list[Variant]:
    """Return the variants of a pipeline's matrix, by field and in the order in which its values are written.

    Raises SpecError if a field does not exist or cannot have a value, or if there are too many combinations or none.
    """
    matrix = pipeline.spec.matrix
    if matrix is None:
        return []
    place: Location = ("spec", "matrix", "fields")
    size = prod(len(values) for values in matrix.fields.values())
    if size > MAX_VARIANTS:
        raise SpecError([source.diagnostic(place, "matrix-size", f"the matrix has {size} combinations",
                                           f"sweep fewer fields or values; at most {MAX_VARIANTS}", key=True)])  # fmt: skip
    # The order in which a mapping is written means nothing.
    fields = sorted(matrix.fields)
    chosen = [
        dict(zip(fields, numbers, strict=True)) for numbers in product(*(range(len(matrix.fields[path])) for path in fields))
    ]
    values = [{path: matrix.fields[path][number] for path, number in each.items()} for each in chosen]
    names = Counter(map(_name, values))
    found: list[Variant] = []
    for each, mine in zip(chosen, values, strict=True):
        if not any(_matches(mine, excluded) for excluded in matrix.exclude):
            name = _name(mine) if names[_name(mine)] == 1 else _digest_name(mine)
            found.append(Variant(name, mine, _with(name, mine, each, source)))
    if not found:
        raise SpecError([source.diagnostic(("spec", "matrix", "exclude"), "matrix-size", "every combination is excluded",
                                           "exclude fewer", key=True)])  # fmt: skip
    return found


def _matches(values: dict[str, Any], excluded: dict[str, Any]) -> bool:
    return all(path in values and values[path] == value for path, value in excluded.items())


def _with(name: str, values: dict[str, Any], chosen: dict[str, int], source: Source) -> Pipeline:
    """Return the pipeline with these values; a fault points at the value in the matrix."""
    data = deepcopy(source.data)
    for path, value in values.items():
        place: Location = ("spec", "matrix", "fields", path)
        if path.partition(".")[0] in NOT_SWEPT or not _set(data["spec"], path.split("."), value):
            remedy = "name a field below 'spec', as in 'train.learning_rate'"
            raise SpecError([source.diagnostic(place, "matrix-field", f"'{path}' cannot be swept", remedy, key=True)])
    publish = data["spec"].get("publish", {})
    if "publish.location" not in values and isinstance(publish, dict) and isinstance(publish.get("location"), str):
        publish["location"] += f"/{name}"
    data["spec"].pop("matrix")
    try:
        return Pipeline.model_validate(data)
    except ValidationError as error:
        raise SpecError(list(dict.fromkeys(_faults(error, chosen, source)))) from None


def _faults(error: ValidationError, chosen: dict[str, int], source: Source) -> Iterator[Any]:
    for fault in error.errors(include_url=False):
        location = tuple(map(str, fault["loc"]))
        is_unknown = fault["type"] == "extra_forbidden"
        for path, number in chosen.items():
            swept = ("spec", *path.split("."))
            if location[: len(swept)] == swept or (is_unknown and swept[: len(location)] == location):
                kind = "matrix-field" if is_unknown else "invalid-value"
                place: Location = ("spec", "matrix", "fields", path, number)
                yield source.diagnostic(place, kind, f"'{path}' cannot have this value: {fault['msg'].lower()}",
                                        "see 'hubc explain' for what the field takes")  # fmt: skip
                break
        else:
            message = f"a combination does not go together: {fault['msg']}"
            yield source.diagnostic(("spec", "matrix"), "invalid-value", message, "exclude it", key=True)


def _set(data: Any, path: list[str], value: Any) -> bool:
    """Put a value at a path of keys and list positions; sections on the way that are not there are made."""
    for part in path[:-1]:
        if isinstance(data, list):
            if not (part.isdecimal() and int(part) < len(data)):
                return False
            data = data[int(part)]
        elif isinstance(data, dict):
            data = data.setdefault(part, {})
        else:
            return False
    last = path[-1]
    if isinstance(data, dict):
        data[last] = value
    elif isinstance(data, list) and last.isdecimal() and int(last) < len(data):
        data[int(last)] = value
    else:
        return False
    return True


def _name(values: dict[str, Any]) -> str:
    """Return a name made of the values, the same whatever else the matrix has; a digest where that is too long."""
    name = "-".join(f"{path.rpartition('.')[2]}-{_word(value)}" for path, value in values.items())
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    plain = all(isinstance(value, str | int | float | bool) for value in values.values())
    return slug if plain and len(slug) <= MAX_NAME else _digest_name(values)


def _digest_name(values: dict[str, Any]) -> str:
    return f"variant-{digest(values)[:8]}"


def _word(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def merged(steps: dict[str, dict[str, Step]], variants: dict[str, dict[str, Any]]) -> tuple[Step, ...]:
    """Return the steps of all variants as one graph: those with equal keys once, the others with the values in their ids."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for variant, graph in steps.items():
        for id, step in graph.items():
            owners[id, step.key].append(variant)
    names = _ids(owners, variants)
    found: dict[str, Step] = {}
    for graph in steps.values():
        for id, step in graph.items():
            new = names[id, step.key]
            if new not in found:
                inputs = {key: _renamed(value, graph, names) for key, value in step.inputs.items()}
                found[new] = replace(step, id=new, inputs=inputs, variants=tuple(owners[id, step.key]))
    return tuple(found.values())


def _renamed(value: Input, graph: dict[str, Step], names: dict[tuple[str, str], str]) -> Input:
    if not isinstance(value, Reference):
        return value
    return replace(value, step=names[value.step, graph[value.step].key])


def _ids(owners: dict[tuple[str, str], list[str]], variants: dict[str, dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Return the id of every step: its own, and where variants differ in it, the values that its variants share."""
    ids: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for (id, key), names in owners.items():
        if len(names) == len(variants):
            name = id
        else:
            shared = _shared([variants[variant] for variant in names], list(variants.values()))
            name = f"{id}-{_name(shared)}" if shared else f"{id}-variant-{key[:8]}"
        ids[id, key] = name if name not in taken else f"{id}-variant-{key[:8]}"
        taken.add(ids[id, key])
    return ids


def _shared(chosen: list[dict[str, Any]], every: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the fields that have one value in the chosen variants and several in all of them."""
    everything = list(every)
    first = chosen[0]
    return {
        path: value
        for path, value in first.items()
        if all(item[path] == value for item in chosen) and any(item[path] != value for item in everything)
    }
