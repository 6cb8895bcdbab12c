"""Where a model is published, and what is known of the version that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import BadRequestError, StepError
from hub_steps.evaluate.report import read_evaluation
from hub_steps.files import local_path
from hub_steps.publish.folder import PROVENANCE_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.contract import Request
    from hub_steps.evaluate.report import Evaluation
    from hub_steps.parameters import PublishParameters

EVALUATIONS = "evaluation*.json"
"""Files of a published folder: `evaluation.json` for the first suite, `evaluation.NAME.json` for the others."""


def target_folder(location: str, request: Request) -> Path:
    """Return the folder that a publishing location names, below the request's `publish_root` if it is relative.

    Raises BadRequestError for a location that this version cannot publish to.
    """
    scheme, colon, _ = location.partition("://")
    if colon and scheme != "file":
        raise BadRequestError(f"this version of hubc cannot publish to {scheme}:// yet; give a folder as 'location'")
    if colon:
        return local_path(location)
    if not request.publish_root:
        raise StepError(f"the location '{location}' is relative, and the request names no publish_root")
    return local_path(request.publish_root) / location


def publishing_folder(parameters: PublishParameters, request: Request) -> Path:
    """Return the folder to publish to.

    Raises BadRequestError if the parameters name any other target, so that nothing is published by halves.
    """
    for name, wanted in (("the Hugging Face Hub", parameters.huggingface), ("GitHub", parameters.github)):
        if wanted is not None:
            raise BadRequestError(f"this version of hubc cannot publish to {name} yet; give only a folder as 'location'")
    if parameters.location is None:
        raise BadRequestError("bad request: publishing needs a 'location'")
    return target_folder(parameters.location, request)


def published_evaluations(folder: Path) -> dict[str, Evaluation] | None:
    """Return the evaluations of the version in a folder by the suite's name, or None if no version is there.

    Raises StepError if one cannot be read.
    """
    if not (folder / PROVENANCE_FILE).is_file():
        return None
    found = [read_evaluation(path) for path in sorted(folder.glob(EVALUATIONS))]
    return {evaluation.name: evaluation for evaluation in found}
