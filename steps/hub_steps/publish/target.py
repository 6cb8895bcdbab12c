"""Where a model is published, and what is known of the version that is there."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING

from hub_steps.contract import BadRequestError, StepError
from hub_steps.evaluate.report import parse_evaluation
from hub_steps.files import local_path
from hub_steps.publish.folder import Folder
from hub_steps.publish.store import Store
from hub_steps.storage import is_remote

if TYPE_CHECKING:
    from hub_steps.contract import Request
    from hub_steps.evaluate.report import Evaluation
    from hub_steps.parameters import PublishParameters

EVALUATIONS = "evaluation*.json"
"""Files of a published folder: `evaluation.json` for the first suite, `evaluation.NAME.json` for the others."""


def target(location: str, request: Request) -> Folder | Store:
    """Return what a publishing location names, below the request's `publish_root` if it is relative.

    Raises BadRequestError for a location that this version cannot publish to.
    """
    scheme, colon, _ = location.partition("://")
    if colon and scheme not in ("file", "s3"):
        raise BadRequestError(f"this version of hubc cannot publish to {scheme}:// yet; give a folder as 'location'")
    if not colon:
        if not request.publish_root:
            raise StepError(f"the location '{location}' is relative, and the request names no publish_root")
        if is_remote(request.publish_root):
            return Store(f"{request.publish_root.rstrip('/')}/{location}")
        return Folder(local_path(request.publish_root) / location)
    return Store(location) if scheme == "s3" else Folder(local_path(location))


def publishing_target(parameters: PublishParameters, request: Request) -> Folder | Store:
    """Return where to publish.

    Raises BadRequestError if the parameters name any other target, so that nothing is published by halves.
    """
    for name, wanted in (("the Hugging Face Hub", parameters.huggingface), ("GitHub", parameters.github)):
        if wanted is not None:
            raise BadRequestError(f"this version of hubc cannot publish to {name} yet; give only a folder as 'location'")
    if parameters.location is None:
        raise BadRequestError("bad request: publishing needs a 'location'")
    return target(parameters.location, request)


def published_evaluations(target: Folder | Store) -> dict[str, Evaluation] | None:
    """Return the evaluations of the published version by the suite's name, or None if no version is there.

    Raises StepError if one cannot be read.
    """
    names = target.names()
    if not names:
        return None
    found = [parse_evaluation(target.text(name), f"{target}/{name}") for name in names if fnmatch(name, EVALUATIONS)]
    return {evaluation.name: evaluation for evaluation in found}
