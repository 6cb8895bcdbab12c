"""What the status of an object can hold, by the models of its kind: the paths that Argo's conditions look at."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from hubc.backends.argo.verify.schemas import model

if TYPE_CHECKING:
    from collections.abc import Iterable

VALUES: dict[str, dict[str, tuple[str, ...]]] = {
    "JobSet": {
        "status.terminalState": ("Completed", "Failed"),
        "status.conditions.#.type": (
            "Suspended", "Completed", "Failed", "StartupPolicyInProgress", "StartupPolicyCompleted"
        ),
    },
    "TrainJob": {"status.conditions.#.type": ("Suspended", "Complete", "Failed")},
    "PyTorchJob": {
        "status.conditions.#.type": ("Created", "Running", "Restarting", "Suspended", "Succeeded", "Failed")
    },
    "Job": {"status.conditions.#.type": ("Suspended", "SuccessCriteriaMet", "Complete", "FailureTarget", "Failed")},
}  # fmt: skip
"""Kind -> path -> the words that its controller writes there, with `#` for any index."""
_STATES = ("True", "False", "Unknown")
_INDEX = re.compile(r"(?<=\.)[0-9]+(?=\.|$)")


def possible_values(kind: str, path: str) -> tuple[str, ...] | None:
    """Return the words that can stand at a path of a kind; None if nothing is known of them."""
    general = _INDEX.sub("#", path)
    return _STATES if general == "status.conditions.#.status" else VALUES.get(kind, {}).get(general)


@cache
def type_at(api_version: str, kind: str, path: str) -> Any:
    """Return the type of what stands at a path of a kind, an index of a list being a number; None if nothing can."""
    found: Any = model(api_version, kind)
    for part in path.split("."):
        found = _bare(_inside(_bare(found), part))
    return found


def _inside(outer: Any, part: str) -> Any:
    if isinstance(outer, type) and issubclass(outer, BaseModel):
        fields = outer.model_fields.items()
        return next((field.annotation for name, field in fields if (field.alias or name) == part), None)
    if get_origin(outer) is list:
        return get_args(outer)[0] if part.isdecimal() else None
    return get_args(outer)[1] if get_origin(outer) is dict else None


def _bare(annotation: Any) -> Any:
    """Return what an optional type is if it is something, without pydantic's notes."""
    while get_origin(annotation) not in (None, list, dict):
        annotation = _first(get_args(annotation)) if not _is_union(annotation) else _first(_somethings(annotation))
    return annotation


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) is Union or type(annotation).__name__ == "UnionType"


def _somethings(annotation: Any) -> Iterable[Any]:
    return (each for each in get_args(annotation) if each is not type(None))


def _first(found: Iterable[Any]) -> Any:
    return next(iter(found), None)
