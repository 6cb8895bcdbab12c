"""The train step on one node: prepare the model, train with the algorithm's backend, and complete the output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.contract import BadRequestError
from hub_steps.models.load import cache_folder, model_folder
from hub_steps.remains import SCRATCH
from hub_steps.train.backends import built_in
from hub_steps.train.checkpoints import remove_halves
from hub_steps.train.job import Job

if TYPE_CHECKING:
    from hub_steps.parameters import TrainStepParameters
    from hub_steps.workspace import Outcome, Workspace


def main(workspace: Workspace, parameters: TrainStepParameters) -> Outcome | None:
    """Train on this node; the first node reports the outcome, every other returns None.

    Raises StoppedError after a checkpoint was written, and StepError with the reason of the process that failed first.
    """
    train = built_in().backend(parameters.algorithm, parameters.backend)
    job = Job(
        step=workspace.request.step,
        key=workspace.request.key,
        identity=workspace.request.identity,
        model=model_folder(workspace.local_input("model"), cache_folder(workspace.request)),
        data=workspace.input_path("data"),
        output=workspace.folder,
        ready=workspace.place.ready,
        parameters=parameters,
    )
    if workspace.is_first_node:
        remove_halves(workspace.path(SCRATCH))
    outcome = train(job, _script(workspace, parameters))
    return outcome if workspace.is_first_node else None


def _script(workspace: Workspace, parameters: TrainStepParameters) -> str | None:
    if parameters.custom is None:
        return None
    text = (workspace.input("script").documents or {}).get("text")
    if not isinstance(text, str):
        raise BadRequestError("bad request: the input 'script' has no document 'text'")
    return text
