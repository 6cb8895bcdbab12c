"""The publish step: the tuned model to a folder, with model card, loss curve, provenance and change log.

The folder appears, or is replaced, as a whole. Publishing the same model again changes no file.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hub_steps.contract import StepError, faults, message
from hub_steps.digest import digest, file_digest
from hub_steps.evaluate.report import OVERALL, Evaluation
from hub_steps.files import entry_damage, local_path, read_result
from hub_steps.publish.card import model_card
from hub_steps.publish.folder import PROVENANCE_FILE, is_whole, locked, published, recover, replace
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import PublishParameters
    from hub_steps.workspace import Workspace

CHANGE_LOG = "CHANGELOG.md"
_HEADING = "# Change log\n\n"


def main(workspace: Workspace, parameters: PublishParameters) -> Outcome:
    """Publish, unless the folder already holds this very model.

    Raises StepError if the folder holds anything that hubc did not publish.
    """
    target = _target(workspace, parameters)
    evaluation = _evaluation(workspace)
    provenance = _provenance(workspace, parameters)
    with locked(target):
        is_new = _is_new(target, provenance)
        if is_new:
            _publish(target, workspace, parameters, provenance, evaluation)
        else:
            message(f"{target} already holds this release; nothing to do")
        files = tuple(sorted(path for path in target.rglob("*") if path.is_file()))
    size = sum(path.stat().st_size for path in files)
    metrics = {"location": target.as_uri(), "release": provenance["release"], "bytes": size}
    verb = "published" if is_new else "already published"
    return Outcome(f"{verb} to {parameters.location} ({size / 1e6:.0f} MB)", metrics, published=files)


def _is_new(target: Path, provenance: dict[str, Any]) -> bool:
    """Tell whether there is something to do.

    Raises StepError if the folder holds anything that is not the pipeline's own.
    """
    recover(target)
    before = published(target)
    if before is None:
        return True
    if before["pipeline"] != provenance["pipeline"]:
        raise StepError(f"{target} holds a model of the pipeline '{before['pipeline']}'; name another folder")
    return before["release"] != provenance["release"] or not is_whole(target, before)


def _target(workspace: Workspace, parameters: PublishParameters) -> Path:
    if "://" in parameters.location:
        return local_path(parameters.location)
    if not workspace.request.publish_root:
        raise StepError(f"the location '{parameters.location}' is relative, and the request names no publish_root")
    return local_path(workspace.request.publish_root) / parameters.location


def _evaluation(workspace: Workspace) -> Evaluation:
    path = workspace.input_path("evaluation") / "evaluation.json"
    try:
        return Evaluation.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = faults(error) if isinstance(error, ValidationError) else error
        raise StepError(f"cannot read {path}: {reason}") from None


def _provenance(workspace: Workspace, parameters: PublishParameters) -> dict[str, Any]:
    """Return what the model was made from; `release` is a digest of what determines the published content."""
    training = read_result(workspace.input_path("training"))
    for entry in training.files:
        if fault := entry_damage(entry, workspace.input_path("training")):
            raise StepError(f"input 'training' is not whole: {fault}")
    generation = read_result(workspace.input_path("generation"))
    identity = workspace.request.identity
    data = next(entry.sha256 for entry in generation.files if entry.path == "train.jsonl")
    made_by = {name: value.key for name, value in workspace.request.inputs.items()}
    return {
        "release": digest({"inputs": made_by, "parameters": parameters.model_dump(mode="json")})[:16],
        "pipeline": identity.pipeline,
        "description": (workspace.input("about").documents or {}).get("description", ""),
        "spec_digest": identity.spec_digest,
        "plan_digest": identity.plan_digest,
        "run": identity.run,
        "base_model": training.material["inputs"]["model"],
        "taxonomy": generation.material["inputs"]["taxonomy"],
        "training_data": data,
        "steps": made_by,
        "packages": {**generation.packages, **training.packages},
    }


def _publish(
    target: Path, workspace: Workspace, parameters: PublishParameters, provenance: dict[str, Any], evaluation: Evaluation
) -> None:
    training = workspace.input_path("training")
    draft = target.with_name(f".{target.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(training / "model", draft)
    shutil.copy(training / "loss_curve.png", draft)
    (draft / "README.md").write_text(model_card(parameters, provenance, evaluation), encoding="utf-8")
    (draft / CHANGE_LOG).write_text(_change_log(target, provenance, evaluation), encoding="utf-8")
    names = sorted(str(path.relative_to(draft)) for path in draft.rglob("*") if path.is_file())
    for name in names:
        # Weights come with a mode that lets nobody else read them.
        (draft / name).chmod((draft / "README.md").stat().st_mode)
    provenance["files"] = {name: file_digest(draft / name) for name in names}
    (draft / PROVENANCE_FILE).write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    replace(target, draft)


def _change_log(target: Path, provenance: dict[str, Any], evaluation: Evaluation) -> str:
    """Return the change log with an entry for this release on top, unless it stands there already."""
    try:
        older = (target / CHANGE_LOG).read_text(encoding="utf-8").removeprefix(_HEADING)
    except OSError:
        older = ""
    mark = f"<!-- release {provenance['release']} -->"
    if mark in older.partition("\n## ")[0]:
        return _HEADING + older
    day = datetime.now(UTC).date().isoformat()
    lines = [
        f"## {day} · {provenance['release']}",
        mark,
        "",
        f"Made by run `{provenance['run']}` of `{provenance['pipeline']}`.",
    ]
    if evaluation.comparison:
        overall = evaluation.comparison[OVERALL]
        lines.append(f"NLL {overall.nll.base:.3f} -> {overall.nll.tuned:.3f} ({overall.nll.verdict}), "
                     f"token F1 {overall.f1.base:.3f} -> {overall.f1.tuned:.3f} ({overall.f1.verdict}).")  # fmt: skip
    return _HEADING + "\n".join(lines) + "\n\n" + older
