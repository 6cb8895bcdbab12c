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

from hub_steps.digest import canonical, digest
from hubc.diagnostics import did_you_mean
from hubc.errors import SpecError
from hubc.plan import Reference
from hubc.spec.pipeline import Pipeline
from hubc.swept import FIELDS, SweptSource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

    from hubc.diagnostics import Diagnostic
    from hubc.plan import Input, Step
    from hubc.source import Location, Source
    from hubc.spec.sweep import Matrix

MAX_VARIANTS = 200
MAX_NAME = 40
NOT_SWEPT = frozenset({"matrix", "schedule", "notify", "tracking"})
"""Sections that are about all variants together."""


@dataclass(frozen=True)
class Variant:
    """One combination of a matrix: its name, swept field -> value and its number, and the pipeline with these values."""

    name: str
    values: dict[str, Any]
    chosen: dict[str, int]
    pipeline: Pipeline


def expand(pipeline: Pipeline, source: Source) -> list[Variant]:
    """Return the variants of a pipeline's matrix, by field and in the order in which its values are written.

    Raises SpecError with every field that does not exist and every value that a field cannot have, or if there are too many
    combinations or none.
    """
    matrix = pipeline.spec.matrix
    if matrix is None:
        return []
    _check(matrix, source)
    # The order in which a mapping is written means nothing.
    fields = sorted(matrix.fields)
    numbers = product(*(range(len(matrix.fields[path])) for path in fields))
    every = [dict(zip(fields, each, strict=True)) for each in numbers]
    values = [{path: matrix.fields[path][number] for path, number in chosen.items()} for chosen in every]
    names = Counter(map(_name, values))
    found: list[Variant] = []
    faults: list[Diagnostic] = []
    for chosen, mine in zip(every, values, strict=True):
        if any(_matches(mine, excluded) for excluded in matrix.exclude):
            continue
        name = _name(mine) if names[_name(mine)] == 1 else _digest_name(mine)
        try:
            found.append(Variant(name, mine, chosen, _with(name, mine, chosen, source)))
        except SpecError as error:
            faults += error.diagnostics
    if faults:
        raise SpecError(list(dict.fromkeys(faults)))
    if not found:
        raise SpecError([source.diagnostic(("spec", "matrix", "exclude"), "matrix-size", "every combination is excluded",
                                           "exclude fewer", key=True)])  # fmt: skip
    return found


def _check(matrix: Matrix, source: Source) -> None:
    """Refuse a matrix that is too large, that names a field inside of another one, or a value twice."""
    size = prod(len(values) for values in matrix.fields.values())
    if size > MAX_VARIANTS:
        raise SpecError([source.diagnostic(FIELDS, "matrix-size", f"the matrix has {size} combinations",
                                           f"sweep fewer fields or values; at most {MAX_VARIANTS}", key=True)])  # fmt: skip
    faults = [
        source.diagnostic(
            (*FIELDS, path),
            "matrix-field",
            f"'{path}' lies inside of '{other}', which is swept as well",
            "sweep one of the two",
            key=True,
        )
        for path in matrix.fields
        for other in matrix.fields
        if path.startswith(f"{other}.")
    ]
    for path, values in matrix.fields.items():
        seen: set[str] = set()
        for number, value in enumerate(values):
            if (text := canonical(value)) in seen:
                place: Location = (*FIELDS, path, number)
                faults.append(
                    source.diagnostic(place, "invalid-value", "this value is listed twice", "remove one of the two")
                )
            seen.add(text)
    if faults:
        raise SpecError(faults)


def _matches(values: dict[str, Any], excluded: dict[str, Any]) -> bool:
    return all(path in values and values[path] == value for path, value in excluded.items())


def _with(name: str, values: dict[str, Any], chosen: dict[str, int], source: Source) -> Pipeline:
    """Return the pipeline with these values; a fault points at the value in the matrix."""
    data = deepcopy(source.data)
    for path, value in values.items():
        # A copy: what other fields and the variant's name add to a swept section must not reach the matrix itself.
        if path.partition(".")[0] in NOT_SWEPT or not _set(data["spec"], path.split("."), deepcopy(value)):
            raise SpecError([_not_swept(path, source)])
    publish = data["spec"].get("publish", {})
    if "publish.location" not in values and isinstance(publish, dict) and isinstance(publish.get("location"), str):
        publish["location"] += f"/{name}"
    data["spec"].pop("matrix")
    try:
        return Pipeline.model_validate(data)
    except ValidationError as error:
        raise SpecError(_faults(error.errors(include_url=False), chosen, source)) from None


def _not_swept(path: str, source: Source) -> Diagnostic:
    from hubc.spec.fields import locate

    parts = path.split(".")
    known = locate(Pipeline, ("spec", *parts[:-1])).shape.keys
    remedy = "name a field below 'spec', as in 'train.learning_rate'"
    if parts[0] == "spec":
        remedy = "leave out 'spec.'"
    elif known and parts[0] not in NOT_SWEPT and parts[-1] not in known:
        remedy = did_you_mean(parts[-1], known)
    return source.diagnostic((*FIELDS, path), "matrix-field", f"'{path}' cannot be swept", remedy, key=True)


def _faults(errors: list[ErrorDetails], chosen: dict[str, int], source: Source) -> list[Diagnostic]:
    """Return what is wrong with a combination, in the words in which the same would be said of a spec."""
    from hubc.spec.messages import diagnostics

    found = []
    for error in errors:
        location = tuple(map(str, error["loc"]))
        unknown = [path for path in chosen if _is_about(("spec", *path.split(".")), location, error["type"])]
        if unknown:
            found.append(_not_swept(unknown[0], source))
        else:
            found += diagnostics(SweptSource.of(source, chosen), Pipeline, [error])
    return list(dict.fromkeys(found))


def _is_about(swept: tuple[str, ...], location: tuple[str, ...], kind: str) -> bool:
    """Tell whether an error says that a swept field does not exist: it is unknown, or what it should lie in is none."""
    if kind == "extra_forbidden":
        return swept[: len(location)] == location
    return kind.endswith("_type") and len(location) < len(swept) and swept[: len(location)] == location


def _set(data: Any, path: list[str], value: Any) -> bool:
    """Put a value at a path of keys and list positions; sections on the way that are not there are made."""
    for part in path[:-1]:
        if isinstance(data, list):
            if not (part.isdecimal() and int(part) < len(data)):
                return False
            data = data[int(part)]
        elif isinstance(data, dict) and (part in data or not part.isdecimal()):
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
