"""Rows of a data file, one after the other, whatever the file's format; nothing is read before it is asked for."""

from __future__ import annotations

import csv
import json
from typing import IO, TYPE_CHECKING, Any

from hub_steps.contract import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ROW_BYTES = 64 << 20
MAX_JSON_BYTES = 1 << 30
"""A JSON file is one value, which must be in memory as a whole; JSON lines have no limit."""
PARQUET_BATCH_ROWS = 1024


def rows(path: Path, file_format: str, name: str) -> Iterator[Any]:
    """Yield every row of a file; `name` is what messages call the data set.

    Raises StepError, with the index of the row, where the file is not in its format.
    """
    match file_format:
        case "jsonl":
            return _json_lines(path, name)
        case "json":
            return _json(path, name)
        case "csv":
            return _csv(path, name)
        case _:
            return _parquet(path, name)


def _json_lines(path: Path, name: str) -> Iterator[Any]:
    index = 0
    with path.open("rb") as file:
        while line := file.readline(MAX_ROW_BYTES + 1):
            if len(line) > MAX_ROW_BYTES:
                raise StepError(f"data set '{name}', row {index}: it is longer than {MAX_ROW_BYTES} bytes")
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise StepError(f"data set '{name}', row {index}: not JSON: {_said(error)}") from None
            index += 1


def _json(path: Path, name: str) -> Iterator[Any]:
    if path.stat().st_size > MAX_JSON_BYTES:
        raise StepError(f"data set '{name}' is larger than {MAX_JSON_BYTES} bytes of JSON; write it as JSON lines (.jsonl)")
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise StepError(f"data set '{name}' is not JSON: {_said(error)}") from None
    if isinstance(found, dict):
        found = found.get("data")
    if not isinstance(found, list):
        raise StepError(f"data set '{name}' is neither a list of rows nor a mapping with such a list under 'data'")
    yield from found


def _csv(path: Path, name: str) -> Iterator[Any]:
    csv.field_size_limit(MAX_ROW_BYTES)
    index = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            reader = csv.DictReader(_bounded(file), strict=True)
            if len(set(columns := reader.fieldnames or [])) != len(columns):
                raise StepError(f"data set '{name}' names a column twice: {', '.join(columns)}")
            for row in reader:
                if None in row or None in row.values():
                    raise StepError(f"data set '{name}', row {index}: it has not as many values as there are columns")
                yield row
                index += 1
        except (csv.Error, ValueError) as error:
            raise StepError(f"data set '{name}', row {index}: not CSV: {_said(error)}") from None


def _bounded(file: IO[str]) -> Iterator[str]:
    while line := file.readline(MAX_ROW_BYTES + 1):
        if len(line) > MAX_ROW_BYTES:
            raise ValueError(f"a line is longer than {MAX_ROW_BYTES} characters")
        yield line


def _parquet(path: Path, name: str) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise StepError("cannot read parquet here: install hubc with the extra 'data'") from None
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(PARQUET_BATCH_ROWS):
                yield from batch.to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise StepError(f"data set '{name}' is not parquet: {_said(error)}") from None


def _said(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]
