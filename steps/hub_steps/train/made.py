"""What a user's script made, checked before it counts as a model."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from hub_steps.contract import StepError

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = frozenset({".json", ".safetensors", ".jinja", ".txt", ".model", ".md"})
"""Kinds of files that hold data only; a pickle can run code when it is loaded."""


def check_model(folder: Path) -> None:
    """Raise StepError if `folder` is not a Transformers model, or holds files that are more than data."""
    if not folder.is_dir():
        raise StepError("the script left no model: it must write one to $HUBC_OUTPUT/model")
    found = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    odd = [str(path.relative_to(folder)) for path in found if path.is_symlink() or path.suffix not in SUFFIXES]
    if odd:
        names = ", ".join(odd)
        raise StepError(f"$HUBC_OUTPUT/model must hold config.json and safetensors, no pickles or links; it has {names}")
    if not (folder / "config.json").is_file():
        raise StepError("$HUBC_OUTPUT/model has no config.json: save the model with save_pretrained")
    if not any(path.suffix == ".safetensors" for path in found):
        raise StepError("$HUBC_OUTPUT/model has no safetensors: save the model with save_pretrained")


def read_figures(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a script's `metrics.jsonl` that have a loss, or none if it left no such file.

    Raises StepError if a line is not a JSON object, naming it, or if its step or loss is no number.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise StepError(f"the script's {path.name}, line {number}: {error}") from None
        if not isinstance(row, dict):
            raise StepError(f"the script's {path.name}, line {number}: it is not a JSON object")
        if "loss" in row:
            if not all(_is_number(row.get(name)) for name in ("step", "loss")):
                raise StepError(f"the script's {path.name}, line {number}: step and loss must be numbers")
            rows.append(row)
    return rows


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
