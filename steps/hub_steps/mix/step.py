"""The mix step: data sets and generated data in, one file of training data out.

Writes `train.jsonl` (rows of one shape, in an order of their own) and `recipe.json` (what came from where).
"""

from __future__ import annotations

import json
import random
from array import array
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from hub_steps.contract import BadRequestError, StepError, message
from hub_steps.digest import file_digest
from hub_steps.mix.convert import convert
from hub_steps.mix.read import rows
from hub_steps.parameters import DatasetParameters
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import MixParameters
    from hub_steps.workspace import Workspace

GENERATED = "generated"
SUFFIXES = {".jsonl": "jsonl", ".json": "json", ".parquet": "parquet", ".csv": "csv"}
PROGRESS_ROWS = 100_000


def main(workspace: Workspace, parameters: MixParameters) -> Outcome:
    """Read every source, choose from each as much as is asked for, and write all in one shuffled order.

    Rows go through a file beside the output, so that only their places in it are kept in memory. Raises StepError for a
    row that is not what its data set says, and what fetching a data set raises.
    """
    if fault := parameters.mismatch():
        raise BadRequestError(f"bad request: {fault}")
    spool = workspace.scratch("rows.jsonl", is_lasting=False)
    order, sources = array("Q"), {}
    with spool.open("wb") as file:
        for name, (path, dataset) in _sources(workspace, parameters).items():
            places = _convert_all(path, name, dataset, parameters.system_prompt, file)
            chosen = sample(len(places), dataset.sampling_size, f"{parameters.seed}/{name}")
            order.extend(places[index] for index in chosen)
            sources[name] = _provenance(workspace, name, path, dataset, len(places), len(chosen))
    random.Random(f"{parameters.seed}/order").shuffle(order)  # noqa: S311 - reproducible, not secret
    with spool.open("rb") as source, workspace.path("train.jsonl").open("wb") as target:
        for place in order:
            source.seek(place)
            target.write(source.readline())
    recipe = {"rows": len(order), "seed": parameters.seed, "system_prompt": parameters.system_prompt, "sources": sources}
    workspace.path("recipe.json").write_text(json.dumps(recipe, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    told = ", ".join(f"{source['rows_used']} of {source['rows']} from {name}" for name, source in sources.items())
    return Outcome(f"{len(order)} rows: {told}", {"rows": len(order), "sources": sources})


def sample(num_rows: int, size: float, seed: str) -> list[int]:
    """Return indices of rows: all of them as often as they fit into `size`, and the rest by chance without repetition.

    `size` is a count if it is whole (int), and a ratio if it is a float; a ratio gives at least one row.
    """
    wanted = size if isinstance(size, int) else max(1, round(size * num_rows))
    rest = random.Random(seed).sample(range(num_rows), wanted % num_rows)  # noqa: S311 - reproducible, not secret
    return [*(index for _ in range(wanted // num_rows) for index in range(num_rows)), *sorted(rest)]


def _sources(workspace: Workspace, parameters: MixParameters) -> dict[str, tuple[Path, DatasetParameters]]:
    found = {}
    if parameters.generated_sampling_size is not None:
        generated = DatasetParameters(location=f"{GENERATED}.jsonl", sampling_size=parameters.generated_sampling_size)
        found[GENERATED] = (workspace.input_path(GENERATED), generated)
    for name, dataset in parameters.datasets.items():
        found[name] = (workspace.data_file(f"dataset.{name}", dataset.sha256), dataset)
    return found


def _convert_all(
    path: Path, name: str, dataset: DatasetParameters, system_prompt: str | None, spool: IO[bytes]
) -> array[int]:
    """Append every row to the spool, as training reads it; return the rows' places there."""
    message(f"reading {name}")
    places = array("Q")
    for index, row in enumerate(rows(path, _file_format(name, dataset), name)):
        try:
            converted = convert(row, dataset, system_prompt)
        except ValueError as error:
            raise StepError(f"data set '{name}', row {index}: {error} (the format is '{dataset.format}')") from None
        places.append(spool.tell())
        spool.write(json.dumps(converted, ensure_ascii=False).encode() + b"\n")
        if not (index + 1) % PROGRESS_ROWS:
            message(f"{index + 1} rows of {name} read")
    if not places:
        raise StepError(f"data set '{name}' is empty: it has no rows")
    return places


def _file_format(name: str, dataset: DatasetParameters) -> str:
    if dataset.file_format:
        return dataset.file_format
    suffix = PurePosixPath(dataset.location.partition("#")[0]).suffix.lower()
    if suffix not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise BadRequestError(
            f"bad request: data set '{name}': '{dataset.location}' does not end in {known}; give 'file_format'"
        )
    return SUFFIXES[suffix]


def _provenance(
    workspace: Workspace, name: str, path: Path, dataset: DatasetParameters, num_rows: int, num_used: int
) -> dict[str, Any]:
    is_generated = name == GENERATED
    return {
        "location": None if is_generated else dataset.location,
        "key": workspace.input(name if is_generated else f"dataset.{name}").key,
        "sha256": file_digest(path),
        "format": dataset.format,
        "sampling_size": dataset.sampling_size,
        "rows": num_rows,
        "rows_used": num_used,
    }
