"""The model card: what the model is, how it was made and what was measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub_steps.evaluate.report import Evaluation, LeafComparison
    from hub_steps.parameters import PublishParameters


def model_card(parameters: PublishParameters, provenance: dict[str, Any], evaluation: Evaluation) -> str:
    """Return the card as Markdown with the metadata block of a model repository.

    Format: https://huggingface.co/docs/hub/model-cards.
    """
    title = parameters.title or provenance["pipeline"]
    return "\n".join([
        *_metadata(parameters), "",
        f"# {title}", "",
        provenance["description"] or f"Made by the hubc pipeline `{provenance['pipeline']}`.", "",
        "## Evaluation", "",
        "On held-out questions that people wrote. NLL: negative log-likelihood of the reference answer, nats a token, lower "
        "is better. F1: token F1 of the greedy answer, higher is better.", "",
        *evaluation_table(evaluation), "",
        "## Training", "",
        "![loss curve](loss_curve.png)", "",
        "## Provenance", "",
        *provenance_table(provenance), "",
    ])  # fmt: skip


def evaluation_table(evaluation: Evaluation) -> list[str]:
    """Return the lines of a Markdown table, one row for each leaf and one overall, and what changed."""
    rows = evaluation.comparison or {}
    lines = ["| leaf | questions | NLL base | NLL tuned | | F1 base | F1 tuned | |",
             "|---|---:|---:|---:|---|---:|---:|---|"]  # fmt: skip
    lines += [_row(name, row) for name, row in rows.items()]
    if overall := rows.get("overall"):
        same = overall.num_questions - overall.num_improved - overall.num_regressed
        lines += ["", f"Reference answers that became likelier: {overall.num_improved} of {overall.num_questions}; "
                      f"less likely: {overall.num_regressed}; no change: {same}."]  # fmt: skip
    return lines


def provenance_table(provenance: dict[str, Any]) -> list[str]:
    """Return the lines of a Markdown table with everything that the model was made from."""
    rows = {
        "pipeline": f"`{provenance['pipeline']}`",
        "spec": f"`sha256:{provenance['spec_digest']}`",
        "base model": f"`{provenance['base_model']}`",
        "taxonomy": f"`{provenance['taxonomy']}`",
        "training data": f"`sha256:{provenance['training_data']}`",
        "versions": ", ".join(f"{name} {version}" for name, version in provenance["packages"].items()),
    }
    return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _metadata(parameters: PublishParameters) -> list[str]:
    fields = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": ["hubc"]}
    if parameters.license:
        fields["license"] = parameters.license.lower()
    # JSON is YAML, and its strings cannot be taken for anything else.
    return ["---", *(f"{name}: {json.dumps(value)}" for name, value in fields.items()), "---"]


def _row(name: str, row: LeafComparison) -> str:
    return (f"| {name} | {row.num_questions} | {row.nll.base:.3f} | {row.nll.tuned:.3f} | {row.nll.verdict} "
            f"| {row.f1.base:.3f} | {row.f1.tuned:.3f} | {row.f1.verdict} |")  # fmt: skip
