"""A step's files: its inputs, where it writes, and how finished work becomes visible all at once."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hub_steps.contract import RESULT_FILE, BadRequestError, Result
from hub_steps.digest import digest
from hub_steps.files import file_entry, write_durably
from hub_steps.inputs import Inputs
from hub_steps.keys import key_material
from hub_steps.models.data import check_digest, fetch_data
from hub_steps.models.load import cache_folder
from hub_steps.places import place
from hub_steps.remains import CHECKPOINTS, SCRATCH

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.contract import FileEntry, Request

PACKAGES = ("hubc", "torch", "transformers", "peft", "accelerate", "xllamacpp", "openai", "trl", "deepspeed",
            "bitsandbytes", "lm_eval", "datasets", "pyarrow", "wandb")  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a step reports when its files are written; `published` are files outside its output."""

    summary: str
    metrics: dict[str, Any]
    published: tuple[FileEntry, ...] = field(default=())
    keeps_checkpoints: bool = False


class Workspace(Inputs):
    """The files of one attempt: a folder to work in, which becomes the output when everything in it is complete."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        node = int(os.environ.get("PET_NODE_RANK") or 0)
        self.place = place(request.output, node, int(os.environ.get("PET_NNODES") or 1))
        self.folder = self.place.folder
        self.started_at = time.time()
        self.is_first_node = node == 0

    def is_done(self) -> bool:
        """Tell whether the step's output exists with its completion marker."""
        return self.place.is_done()

    def open(self) -> None:
        """Make the folder, without what an attempt that failed left there, except for its checkpoints and scratch.

        When several nodes share the folder, only the first one prepares and completes it.
        """
        self.place.open()

    def close(self, *, has_ended: bool) -> None:
        """Leave the folder; unless the step's work has ended, what the next attempt may use is kept."""
        self.place.close(has_ended=has_ended)
        self.leave_inputs()

    def path(self, name: str) -> Path:
        """Return where the output `name` is to be written."""
        return self.folder / name

    def scratch(self, name: str, *, is_lasting: bool = True) -> Path:
        """Return where the file `name` is to be written that is no output, but that the next attempt may use.

        One that is not lasting is of use to this attempt only.
        """
        folder = self.folder / SCRATCH if is_lasting else self.place.passing
        folder.mkdir(exist_ok=True)
        return folder / name

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
        path = self.scratch(f"{digest(name)[:16]}.txt", is_lasting=False)
        path.write_text(text, encoding="utf-8", newline="")
        check_digest(path, sha256, f"input '{name}'")
        return path

    def commit(self, outcome: Outcome) -> None:
        """Write the completion marker and make the folder the output.

        An output without a marker, or one that was found damaged, is replaced.
        """
        for name in (SCRATCH,) if outcome.keeps_checkpoints else (SCRATCH, CHECKPOINTS):
            shutil.rmtree(self.path(name), ignore_errors=True)
        inside = sorted(path for path in self.folder.rglob("*") if path.is_file())
        files = [file_entry(path, str(path.relative_to(self.folder))) for path in inside]
        files += outcome.published
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
        self.place.commit()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
