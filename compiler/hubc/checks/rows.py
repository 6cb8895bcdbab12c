"""The rule over the rows of data sets in the repository, whose text is at hand while the plan is made."""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from hubc.checks.view import Finding
from hubc.plan import External

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from hub_steps.parameters import DatasetParameters
    from hubc.checks.view import View
    from hubc.plan import Step

NEEDS = {
    "messages": ("messages",),
    "alpaca": ("instruction", "output"),
    "document": ("document",),
    "preference": ("prompt", "chosen", "rejected"),
}
"""The keys that a row of each format has; a document's column may have another name."""
MAX_SHOWN, MAX_CHARACTERS = 6, 30
"""Keys of a row that a message shows, and characters of each."""


def first_rows(view: View) -> Iterator[Finding]:
    """`dataset-format`: mixing would fail at the first row, after the data were paid for."""
    mixes = [step for step in view.steps if step.kind == "mix"]
    for name, dataset in view.spec.data.datasets.items() if view.spec.data else ():
        keys = _keys(_text(mixes, name), dataset)
        if not keys or _fits(dataset.format, keys, dataset.document_column_name):
            continue
        shown = ", ".join(key[:MAX_CHARACTERS] for key in keys[:MAX_SHOWN]) + (", …" if len(keys) > MAX_SHOWN else "")
        field = "format" if "format" in dataset.model_fields_set else "location"
        yield Finding(("spec", "data", "datasets", name, field), "dataset-format",
                      f"'{name}' is read as '{dataset.format}', and its first row has: {shown}",
                      _remedy(dataset, keys))  # fmt: skip


def _remedy(dataset: DatasetParameters, keys: list[str]) -> str:
    """Return the format that the keys fit, or what the declared one needs."""
    if meant := next((format for format in NEEDS if format != dataset.format and _fits(format, keys, "document")), None):
        return f"write 'format: {meant}'"
    if len(keys) == 1:
        return f"write 'format: document' and 'document_column_name: {keys[0][:MAX_CHARACTERS]}' if that is a text"
    if dataset.format == "document":
        return "write 'document_column_name' with the name of the column that holds the text"
    needed = "; ".join(f"{format}: {', '.join(needs)}" for format, needs in NEEDS.items())
    return f"give the rows the keys of a format ({needed}), or name a text with 'document_column_name'"


def _fits(format: str, keys: Collection[str], column: str) -> bool:
    return set((column,) if format == "document" else NEEDS[format]) <= set(keys)


def _text(mixes: list[Step], name: str) -> str:
    """Return the text of a data set; empty if it is not in the repository, or nothing mixes it."""
    for step in mixes:
        value = step.inputs.get(f"dataset.{name}")
        if isinstance(value, External) and value.documents:
            return str(value.documents["text"]).removeprefix("\ufeff")
    return ""


def _keys(text: str, dataset: DatasetParameters) -> list[str]:
    """Return the keys of the first row; none where there is no such row, which is left to the step that reads it."""
    try:
        match dataset.file_format or PurePosixPath(dataset.location).suffix.lower().removeprefix("."):
            case "csv":
                return next(csv.reader(io.StringIO(text, newline="")), [])
            case "json":
                return _first_keys(json.loads(text))
            case "jsonl":
                return _first_keys([json.loads(next(filter(str.strip, text.split("\n")), "{}"))])
            case _:
                return []
    except (ValueError, RecursionError, csv.Error):
        return []


def _first_keys(data: Any) -> list[str]:
    rows = data.get("data") if isinstance(data, dict) else data
    return list(rows[0]) if isinstance(rows, list) and rows and isinstance(rows[0], dict) else []
