"""Fields and types, as an API server with strict validation of fields sees them.

Hera's models and those of Kubeflow leave out unknown fields, and take `"8"` for a number. Here pydantic is told not to: it
does both for all nested models at once, hundreds of times as fast as a JSON Schema of them.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from hubc.backends.argo.verify.finding import walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

    from hubc.backends.argo.verify.finding import Fault, Path

_ARGO = "hera.workflows.models"
_KUBEFLOW = "kubeflow_trainer_api.models"
_MODELS = {
    ("argoproj.io/v1alpha1", "Workflow"): (_ARGO, "Workflow"),
    ("argoproj.io/v1alpha1", "WorkflowTemplate"): (_ARGO, "WorkflowTemplate"),
    ("argoproj.io/v1alpha1", "CronWorkflow"): (_ARGO, "CronWorkflow"),
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): (_KUBEFLOW, "JobsetV1alpha2JobSet"),
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): (_KUBEFLOW, "TrainerV1alpha1TrainJob"),
    ("kubeflow.org/v1", "PyTorchJob"): ("hubc.backends.argo.verify.pytorch_job", "PyTorchJob"),
    ("batch/v1", "Job"): (_KUBEFLOW, "IoK8sApiBatchV1Job"),
    ("v1", "Service"): (_KUBEFLOW, "IoK8sApiCoreV1Service"),
    ("v1", "ConfigMap"): (_KUBEFLOW, "IoK8sApiCoreV1ConfigMap"),
}
_SCALARS = {"IoK8sApimachineryPkgApiResourceQuantity", "IoK8sApimachineryPkgUtilIntstrIntOrString"}
"""Models of Kubeflow that stand for a text or a number, and are objects only in Python."""
HARMLESS = "unknown field"
"""The one fault of a field after which the rest of a manifest can still be read."""


@cache
def model(api_version: str, kind: str) -> type[BaseModel] | None:
    """Return the model of a kind, or None if hubc knows none."""
    if (api_version, kind) not in _MODELS:
        return None
    module, name = _MODELS[api_version, kind]
    found: type[BaseModel] = getattr(import_module(module), name)
    return found


def schema_faults(document: dict[str, Any], *, whole: bool = True) -> Iterator[Fault]:
    """Yield the fields of a document that its kind does not have, or not with such a value.

    A document that is not `whole` only names an object; it may lack what would be needed to make one.
    """
    api_version, kind = document.get("apiVersion"), document.get("kind")
    found = model(str(api_version), str(kind))
    if found is None:
        yield (), f"no kind '{kind}' of '{api_version}' is known"
        return
    yield from ((path, "hubc writes no null") for path, value in walk(document) if value is None)
    try:
        found.model_validate_json(json.dumps(document), strict=True, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        yield from _faults(document, error, whole=whole)


def _faults(document: dict[str, Any], error: ValidationError, *, whole: bool) -> Iterator[Fault]:
    seen: set[Path] = set()
    for each in error.errors(include_url=False):
        path = _place(document, each["loc"])
        if path not in seen and not _is_fine(each) and (whole or each["type"] != "missing"):
            seen.add(path)
            yield path, _message(each)


def _is_fine(error: ErrorDetails) -> bool:
    return error.get("ctx", {}).get("class_name") in _SCALARS and type(error["input"]) in (str, int, float)


def _message(error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return HARMLESS
        case "missing":
            return "it is needed, and missing"
        case _:
            text = error["msg"]
            return f"{text[:1].lower()}{text[1:]}, not {json.dumps(error['input'], default=str)[:60]}"


def _place(document: dict[str, Any], location: tuple[str | int, ...]) -> Path:
    """Return where an error is: pydantic also names the members of a union on the way."""
    found: list[str | int] = []
    data: Any = document
    for number, each in enumerate(location):
        is_last = number == len(location) - 1
        if isinstance(data, dict) and (each in data or is_last):
            data = data.get(each)
        elif isinstance(data, list) and isinstance(each, int) and each < len(data):
            data = data[each]
        else:
            continue
        found.append(each)
    return tuple(found)
