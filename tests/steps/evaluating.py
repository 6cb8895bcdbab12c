"""What tests of evaluation share: a model that was taught the answers by a plain loop, and the step in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import animals
from steprun import write_request

from hub_steps.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.workspace import Outcome


def overfit(network: Any, folder: Path, num_steps: int = 8, learning_rate: float = 5e-3) -> Any:
    """Take some optimizer steps over all questions and answers; `folder` holds the tokenizer."""
    import torch

    from hub_steps.evaluate.measure import answered
    from hub_steps.models.chat import encode
    from hub_steps.models.load import load_tokenizer

    tokenizer = load_tokenizer(folder)
    rows = [encode(tokenizer, answered(question, answer)) for question, answer in animals.QUESTIONS]
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [tokenizer.pad_token_id] * (longest - len(ids)) for ids, _ in rows])
    labels = torch.tensor([labels + [-100] * (longest - len(labels)) for _, labels in rows])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in rows])
    optimizer = torch.optim.AdamW([weight for weight in network.parameters() if weight.requires_grad], lr=learning_rate)
    for _ in range(num_steps):
        network(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return network


def measured(folder: Path, parameters: dict[str, Any], inputs: dict[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """Run an evaluate step in this process, which spares loading the libraries; return its outcome and its file."""
    from hub_steps.evaluate import step
    from hub_steps.runner import read_request

    request, read = read_request("evaluate", str(write_request(folder, "evaluate", parameters, inputs)))
    workspace = Workspace(request)
    workspace.open()
    outcome = step.main(workspace, read)
    workspace.commit(outcome)
    return outcome, json.loads((folder / "out" / "evaluation.json").read_text(encoding="utf-8"))
