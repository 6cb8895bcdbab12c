"""The requests of all steps of a run in one document, in which what several steps are told stands once.

There, an input's `documents` are `{"digest": D}`, and the documents themselves stand under D. Parameters that are as those
of the first step of the same kind are left out, and so is what all steps are told.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from hub_steps.contract import BadRequestError, Record, Request, faults
from hub_steps.digest import canonical, digest

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGEST = "digest"
COMMON = ("version", "publish_root", "model_cache", "identity")
"""What the steps of one plan are told alike."""
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?$", max_length=128)]
"""Part of the name of files, which must not lead anywhere else."""
Uri = Annotated[str, Field(pattern=r"^(file:///|s3://[^/])")]


class Bundle(Record):
    """Requests by the id of their step; `record` is the URI of the folder with the records of all runs."""

    version: Literal["hubc.requests/v1"] = "hubc.requests/v1"
    record: Uri
    common: dict[str, Any] = Field(default={})
    """What all requests have alike."""
    documents: dict[str, dict[str, Any]]
    parameters: dict[str, dict[str, Any]] = Field(default={})
    """Kind of step to the parameters of its requests that do not say otherwise."""
    requests: dict[Name, dict[str, Any]]

    @classmethod
    def pack(cls, requests: Iterable[Request], record: str) -> Bundle:
        """Return the bundle of requests, whose run and record are left to whoever unpacks them."""
        documents: dict[str, dict[str, Any]] = {}
        packed = {request.step: _packed(request, documents) for request in requests}
        parameters: dict[str, dict[str, Any]] = {}
        for data in packed.values():
            usual = parameters.setdefault(data["kind"], data["parameters"])
            data["parameters"] = _other(data["parameters"], usual)
        first = next(iter(packed.values()), {})
        common = {name: first[name] for name in COMMON if name in first}
        packed = {step: _other(data, common) for step, data in packed.items()}
        return cls(record=record, common=common, documents=documents, parameters=parameters, requests=packed)

    @classmethod
    def parse(cls, text: str | bytes) -> Bundle:
        """Return the bundle that a text holds.

        Raises BadRequestError if it holds none, naming everything that is wrong.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise BadRequestError(faults(error)) from None

    def dump(self) -> str:
        """Return the bundle as text, the same for the same content."""
        return canonical(self.model_dump(mode="json"))

    def unpack(self, run: str) -> dict[str, Request]:
        """Return the requests of a run, in the order of the bundle.

        Raises BadRequestError if one is no request, or a document is missing.
        """
        return {step: self._request(step, data, run) for step, data in self.requests.items()}

    def _request(self, step: str, data: dict[str, Any], run: str) -> Request:
        try:
            # What is unpacked is no part of the bundle, which may be unpacked for another run, too.
            copied = json.loads(json.dumps({**self.common, **data}))
            copied["parameters"] = {**self.parameters.get(copied["kind"], {}), **copied["parameters"]}
            for name, given in copied["inputs"].items():
                if given.get("documents") is not None:
                    given["documents"] = self._documents(given["documents"], f"{step}: input '{name}'")
            copied["identity"]["run"] = run
            copied["record"] = f"{self.record.rstrip('/')}/{run}"
            request = Request.model_validate(copied)
        except ValidationError as error:
            raise BadRequestError(f"{step}: {faults(error)}") from None
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadRequestError(f"{step}: it is not a request: {type(error).__name__}: {error}") from None
        if request.step != step:
            raise BadRequestError(f"{step}: it is the request of '{request.step}'")
        return request

    def _documents(self, given: Any, place: str) -> dict[str, Any]:
        name = given.get(DIGEST) if isinstance(given, dict) and given.keys() == {DIGEST} else None
        if not isinstance(name, str) or name not in self.documents:
            raise BadRequestError(f"{place}: the bundle does not hold its documents")
        return self.documents[name]


def _packed(request: Request, documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a request with the digest of documents instead of these; they are added to `documents`."""
    data = request.model_dump(mode="json", exclude_none=True)
    # Nothing is a value among parameters, and only among them.
    data["parameters"] = request.parameters
    for given in data["inputs"].values():
        if "documents" in given:
            name = digest(given["documents"])
            documents[name] = given["documents"]
            given["documents"] = {DIGEST: name}
    return data


def _other(data: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """Return what is not as usual."""
    return {name: value for name, value in data.items() if name not in usual or usual[name] != value}
