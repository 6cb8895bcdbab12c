"""What a published model was made from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hub_steps.contract import Result, StepError
from hub_steps.digest import digest
from hub_steps.files import read_result
from hub_steps.remains import CHECKPOINTS

if TYPE_CHECKING:
    from hub_steps.parameters import PublishParameters
    from hub_steps.workspace import Workspace


def provenance(workspace: Workspace, parameters: PublishParameters) -> dict[str, Any]:
    """Return all of it as plain data; `release` is a digest of what determines the published content.

    Raises StepError if an input is not whole.
    """
    made = {name: _result(workspace, name) for name in ("generation", "mix", "training")}
    training, generation = made["training"], made["generation"]
    if training is None:
        workspace.input("training")
        raise StepError("input 'training' names no folder")
    if fault := workspace.input_damage("training", CHECKPOINTS):
        raise StepError(f"input 'training' is not whole: {fault}")
    identity, inputs = workspace.request.identity, workspace.request.inputs
    keys = {name: value.key for name, value in inputs.items()}
    return {
        "release": digest({"inputs": keys, "parameters": parameters.model_dump(mode="json")})[:16],
        "version": parameters.version,
        "pipeline": identity.pipeline,
        "description": (workspace.input("about").documents or {}).get("description", ""),
        "spec_digest": identity.spec_digest,
        "plan_digest": identity.plan_digest,
        "run": identity.run,
        "base_model": keys.get("model") or training.material["inputs"]["model"],
        "taxonomy": keys.get("taxonomy") or (generation.material["inputs"].get("taxonomy") if generation else None),
        "training_data": _data_digest(made["mix"] or generation),
        "recipe": _recipe(workspace) if made["mix"] else None,
        "steps": keys,
        "packages": {name: version for result in made.values() if result for name, version in result.packages.items()},
    }


def _result(workspace: Workspace, name: str) -> Result | None:
    return read_result(workspace.input_path(name, CHECKPOINTS)) if name in workspace.request.inputs else None


def _data_digest(made: Result | None) -> str | None:
    return next((entry.sha256 for entry in made.files if entry.path == "train.jsonl"), None) if made else None


def _recipe(workspace: Workspace) -> dict[str, Any]:
    """Return what the training data were mixed from: rows read and used, and digests, of each source."""
    path = workspace.input_path("mix") / "recipe.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StepError(f"cannot read {path}: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("sources"), dict):
        raise StepError(f"cannot read {path}: it names no sources")
    return found
