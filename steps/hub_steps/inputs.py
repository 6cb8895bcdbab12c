"""What a step is given: documents, and what other steps made, on this machine or in an object store."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps import storage
from hub_steps.contract import BadRequestError, StepError, faults, message
from hub_steps.files import entry_damage, local_path, read_result
from hub_steps.taxonomy import KnowledgeLeaf

if TYPE_CHECKING:
    from hub_steps.contract import Input, Request


class Inputs:
    """The inputs of a request; what lies in an object store is downloaded when it is first asked for."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._fetched: dict[str, Path] = {}

    def input(self, name: str) -> Input:
        """Return an input of the request.

        Raises BadRequestError if the request does not have it.
        """
        try:
            return self.request.inputs[name]
        except KeyError:
            raise BadRequestError(f"bad request: it has no input '{name}'") from None

    def input_path(self, name: str, without: str = "") -> Path:
        """Return the file or folder of an input that another step made, downloaded if it is in an object store.

        What lies in the folder `without` is not needed, and not downloaded. Raises StepError if the input is not there.
        """
        uri = self.input(name).uri or ""
        if storage.is_remote(uri):
            return self._fetch(name, uri, without)
        path = local_path(uri)
        if not path.exists():
            raise StepError(f"input '{name}' is missing: {path}")
        return path

    def local_input(self, name: str) -> Input:
        """Return an input with its location on this machine, if another step made it."""
        given = self.input(name)
        if given.uri is None or not given.uri.startswith("s3://"):
            return given
        return given.model_copy(update={"uri": self.input_path(name).as_uri()})

    def input_damage(self, name: str, without: str = "") -> str | None:
        """Return what happened to the output of another step since it was done, or None.

        Of files in the folder `without` of an object store, only the sizes are compared.

        Raises StepError if the output has no completion marker.
        """
        uri, folder = self.input(name).uri or "", self.input_path(name, without)
        there = storage.sizes(uri) if without and storage.is_remote(uri) else {}
        for entry in read_result(folder).files:
            if there and entry.path.startswith(f"{without}/"):
                if there.get(entry.path) != entry.size:
                    return f"{entry.path} is missing or has another size"
            elif fault := entry_damage(entry, folder):
                return fault
        return None

    def leaves(self) -> dict[str, KnowledgeLeaf]:
        """Return the leaves of the taxonomy, which the request carries or the fetch step wrote.

        Raises BadRequestError if there are none, or one is not as a leaf must be, and StepError if the file is missing.
        """
        leaves = {}
        for name, document in self._taxonomy().items():
            try:
                leaves[name] = KnowledgeLeaf.model_validate(document)
            except ValidationError as error:
                raise BadRequestError(f"bad request: leaf {name}: {faults(error)}") from None
        if not leaves:
            raise BadRequestError("bad request: the taxonomy has no leaves")
        return leaves

    def _taxonomy(self) -> dict[str, Any]:
        given = self.input("taxonomy")
        if given.uri is None:
            return given.documents or {}
        path = self.input_path("taxonomy")
        try:
            documents = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadRequestError(f"bad request: {path} is not JSON: {error}") from None
        if not isinstance(documents, dict):
            raise BadRequestError(f"bad request: {path} holds no leaves by name")
        return documents

    def leave_inputs(self) -> None:
        """Remove what was downloaded."""
        for path in self._fetched.values():
            shutil.rmtree(path.parent, ignore_errors=True)
        self._fetched.clear()

    def _fetch(self, name: str, uri: str, without: str) -> Path:
        if name in self._fetched:
            return self._fetched[name]
        message(f"fetching {uri}")
        there = storage.sizes(uri)
        path = Path(tempfile.mkdtemp(prefix="hubc-input-")) / Path(uri).name
        if there:
            storage.download(uri, path, [file for file in there if not without or not file.startswith(f"{without}/")])
        elif storage.exists(uri):
            parent, _, file = uri.rpartition("/")
            storage.download(parent, path.parent, [file])
        else:
            raise StepError(f"input '{name}' is missing: {uri}")
        self._fetched[name] = path
        return path
