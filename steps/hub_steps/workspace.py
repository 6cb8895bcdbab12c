"""A step's files: where its inputs are, where it writes, and how finished work becomes visible all at once."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps.contract import RESULT_FILE, BadRequestError, Result, StepError, faults
from hub_steps.digest import digest
from hub_steps.files import file_entry, local_path, write_durably
from hub_steps.keys import key_material
from hub_steps.models.data import check_digest, fetch_data
from hub_steps.models.load import cache_folder
from hub_steps.taxonomy import KnowledgeLeaf

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.contract import Input, Request

CHECKPOINTS = "checkpoints"
"""Folder in the output that outlives a failed attempt; once the step is done it is gone, unless the outcome keeps it."""
SCRATCH = "scratch"
"""Folder in the output that outlives a failed attempt, and is gone once the step is done."""
PACKAGES = ("hubc", "torch", "transformers", "peft", "accelerate", "xllamacpp", "openai", "trl", "deepspeed",
            "bitsandbytes", "lm_eval", "datasets", "pyarrow", "wandb")  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a step reports when its files are written; `published` are absolute paths of files outside its output."""

    summary: str
    metrics: dict[str, Any]
    published: tuple[Path, ...] = field(default=())
    keeps_checkpoints: bool = False


class Workspace:
    """The folder `<output>.partial`, renamed to `<output>` when everything in it is complete."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.output = local_path(request.output)
        self.folder = self.output.with_name(self.output.name + ".partial")
        self.started_at = time.time()
        self.is_first_node = int(os.environ.get("PET_NODE_RANK") or 0) == 0

    def is_done(self) -> bool:
        """Tell whether the step's output exists with its completion marker."""
        return (self.output / RESULT_FILE).is_file()

    def open(self) -> None:
        """Make the folder, without what an attempt that failed left there, except for its checkpoints and scratch.

        When several nodes run the step, only the first one prepares and completes the folder.
        """
        if not self.is_first_node:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for entry in self.folder.iterdir():
            if entry.name not in (CHECKPOINTS, SCRATCH):
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def path(self, name: str) -> Path:
        """Return where the output `name` is to be written."""
        return self.folder / name

    def scratch(self, name: str) -> Path:
        """Return where the file `name` is to be written that is no output, but that the next attempt may use."""
        folder = self.folder / SCRATCH
        folder.mkdir(exist_ok=True)
        return folder / name

    def input(self, name: str) -> Input:
        """Return an input of the request.

        Raises BadRequestError if the request does not have it.
        """
        try:
            return self.request.inputs[name]
        except KeyError:
            raise BadRequestError(f"bad request: it has no input '{name}'") from None

    def input_path(self, name: str) -> Path:
        """Return the file or folder of an input that another step made.

        Raises StepError if it is not there.
        """
        path = local_path(self.input(name).uri or "")
        if not path.exists():
            raise StepError(f"input '{name}' is missing: {path}")
        return path

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

    def data_file(self, name: str, sha256: str | None) -> Path:
        """Return the file of an input that is a data set: fetched, or the text that the request carries.

        Raises what fetching raises, and StepError if the file's digest is not `sha256`.
        """
        given = self.input(name)
        if given.uri is not None:
            return fetch_data(given.uri, sha256, cache_folder(self.request))
        text = (given.documents or {}).get("text")
        if not isinstance(text, str):
            raise BadRequestError(f"bad request: input '{name}' has neither a 'uri' nor a 'text'")
        path = self.scratch(f"{digest(name)[:16]}.txt")
        path.write_text(text, encoding="utf-8", newline="")
        check_digest(path, sha256, f"input '{name}'")
        return path

    def commit(self, outcome: Outcome) -> None:
        """Write the completion marker and give the folder its final name.

        An output without a marker, or one that was found damaged, is replaced.
        """
        for name in (SCRATCH,) if outcome.keeps_checkpoints else (SCRATCH, CHECKPOINTS):
            shutil.rmtree(self.path(name), ignore_errors=True)
        inside = sorted(path for path in self.folder.rglob("*") if path.is_file())
        files = [file_entry(path, str(path.relative_to(self.folder))) for path in inside]
        files += [file_entry(path, str(path)) for path in outcome.published]
        result = Result(
            kind=self.request.kind,
            step=self.request.step,
            key=self.request.key,
            material=key_material(
                self.request.kind,
                self.request.parameters,
                {name: value.key for name, value in self.request.inputs.items()},
            ),
            run=self.request.identity.run,
            started_at=self.started_at,
            finished_at=time.time(),
            summary=outcome.summary,
            metrics=outcome.metrics,
            files=tuple(files),
            packages=_versions(),
        )
        write_durably(self.path(RESULT_FILE), result.model_dump_json(indent=2))
        if self.output.exists():
            shutil.rmtree(self.output)
        self.folder.rename(self.output)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
