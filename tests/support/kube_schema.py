"""What an API server with strict validation would say of an object, by the models of the `kubernetes` package."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from kubernetes.client import models

if TYPE_CHECKING:
    from collections.abc import Iterator

_GENERIC = re.compile(r"([Ll]ist|[Dd]ict)[\[(](?:str, ?)?(.+)[\])]")
_SCALARS: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "float": (int, float), "object": (str, int), "datetime": (str,),
    "bytes": (str,),
}  # fmt: skip
_FREE = {"IntOrString", "Quantity"}


def faults(document: dict[str, Any]) -> list[str]:
    """Return each field that the object's kind does not have, or not with such a value.

    Raises AttributeError if Kubernetes itself has no such kind.
    """
    return list(_of_model(_model(document["apiVersion"], document["kind"]), document, document["kind"]))


@cache
def _model(api_version: str, kind: str) -> Any:
    """Return the model of a kind: `rbac.authorization.k8s.io/v1`, `Role` is `V1Role`."""
    version = api_version.rpartition("/")[2]
    return getattr(models, f"{version[0].upper()}{version[1:]}{kind}")


def _of_model(model: Any, data: Any, path: str) -> Iterator[str]:
    if not isinstance(data, dict):
        yield f"{path}: {data!r} is no {model.__name__}"
        return
    fields = {name: model.openapi_types[attribute] for attribute, name in model.attribute_map.items()}
    for name, value in data.items():
        if name in fields:
            yield from _of_type(fields[name], value, f"{path}.{name}")
        else:
            yield f"{path}.{name}: unknown field"


def _of_type(type: str, value: Any, path: str) -> Iterator[str]:
    if generic := _GENERIC.fullmatch(type):
        outer, inner = generic.groups()
        if not isinstance(value, list if outer.lower() == "list" else dict):
            yield f"{path}: {value!r} is no {outer}"
            return
        for key, each in enumerate(value) if outer.lower() == "list" else value.items():
            yield from _of_type(inner, each, f"{path}.{key}")
    elif type in _SCALARS:
        if not isinstance(value, _SCALARS[type]) or (isinstance(value, bool) and type != "bool"):
            yield f"{path}: {value!r} is no {type}"
    elif type not in _FREE:
        yield from _of_model(getattr(models, type), value, path)
