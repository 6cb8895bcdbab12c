"""The publish step: the tuned model to a folder, with model card, loss curve, figures, provenance and change log.

On a disk, the folder appears, or is replaced, as a whole. Publishing the same model again changes no file.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps.contract import StepError, faults, message
from hub_steps.evaluate.report import EVALUATION_FILE, Evaluation, read_evaluation
from hub_steps.gate.report import GATES_FILE, GatesReport
from hub_steps.publish.card import model_card
from hub_steps.publish.changelog import CHANGE_LOG, change_log
from hub_steps.publish.manifest import seal
from hub_steps.publish.provenance import provenance
from hub_steps.publish.target import publishing_target
from hub_steps.remains import CHECKPOINTS
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import PublishParameters
    from hub_steps.publish.folder import Folder
    from hub_steps.publish.store import Store
    from hub_steps.workspace import Workspace

LOSS_CURVE = "loss_curve.png"


def main(workspace: Workspace, parameters: PublishParameters) -> Outcome:
    """Publish, unless the folder already holds this very model.

    Raises BadRequestError for a target that this version cannot publish to, and StepError if the folder holds anything that
    hubc did not publish.
    """
    target = publishing_target(parameters, workspace.request)
    evaluations, gates = _evaluations(workspace), _gates(workspace)
    origin = provenance(workspace, parameters)
    if gates:
        origin["gates"] = gates.model_dump(mode="json")["gates"]
    with target.drafting() as draft:
        is_new = _is_new(target, origin)
        if is_new:
            _fill(draft, workspace.input_path("training", CHECKPOINTS), evaluations)
            log = change_log(target.text(CHANGE_LOG), origin, list(evaluations.values()))
            (draft / CHANGE_LOG).write_text(log, encoding="utf-8")
            has_curve = (draft / LOSS_CURVE).is_file()
            card = model_card(parameters, origin, list(evaluations.values()), gates, has_curve=has_curve)
            (draft / "README.md").write_text(card, encoding="utf-8")
            seal(draft, origin)
            target.put(draft)
        else:
            message(f"{target} already holds this release; nothing to do")
        files = target.entries()
    size = sum(entry.size for entry in files)
    metrics = {"location": target.uri, "release": origin["release"], "bytes": size}
    verb = "published" if is_new else "already published"
    return Outcome(f"{verb} to {parameters.location} ({size / 1e6:.0f} MB)", metrics, published=files)


def _is_new(target: Folder | Store, origin: dict[str, Any]) -> bool:
    """Tell whether there is something to do.

    Raises StepError if the folder holds anything that is not the pipeline's own.
    """
    before = target.published()
    if before is None:
        return True
    if before["pipeline"] != origin["pipeline"]:
        raise StepError(f"{target} holds a model of the pipeline '{before['pipeline']}'; name another folder")
    return before["release"] != origin["release"] or not target.is_whole(before)


def _evaluations(workspace: Workspace) -> dict[str, Evaluation]:
    """Return the evaluations by the name of their file in the published folder, that of the first suite first."""
    names = sorted(name for name in workspace.request.inputs if name.split(".")[0] == "evaluation")
    return {f"{name}.json": read_evaluation(workspace.input_path(name) / EVALUATION_FILE) for name in names}


def _gates(workspace: Workspace) -> GatesReport | None:
    if "gate" not in workspace.request.inputs:
        return None
    path = workspace.input_path("gate") / GATES_FILE
    try:
        found = GatesReport.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = faults(error) if isinstance(error, ValidationError) else error
        raise StepError(f"cannot read {path}: {reason}") from None
    if failed := [result.told for result in found.gates if not result.passed]:
        raise StepError(f"cannot publish a model that did not pass its gates: {'; '.join(failed)}")
    return found


def _fill(draft: Path, training: Path, evaluations: dict[str, Evaluation]) -> None:
    """Copy the model, its loss curve and its figures into a new folder."""
    shutil.copytree(training / "model", draft)
    if (training / LOSS_CURVE).is_file():  # a script of one's own may not draw one
        shutil.copy(training / LOSS_CURVE, draft)
    for name, evaluation in evaluations.items():
        # Held-out questions and answers in a public model would soon be training data.
        text = evaluation.model_copy(update={"answers": ()}).model_dump_json(indent=2, exclude_none=True)
        (draft / name).write_text(text + "\n", encoding="utf-8")
