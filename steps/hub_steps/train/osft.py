"""Orthogonal subspace fine-tuning: of every matrix, only its least important singular directions change.

Nayak et al., Sculpting Subspaces (https://arxiv.org/abs/2504.07097), as PEFT implements it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import torch
from peft import OSFConfig
from peft.tuners.osf.layer import OSFLayer
from transformers import TrainerCallback

from hub_steps.contract import StepError

if TYPE_CHECKING:
    from hub_steps.parameters import TrainParameters


def orthogonal_config(model: Any, parameters: TrainParameters) -> Any:
    """Return PEFT's configuration: which matrices change, and how many directions of each are kept, at least one.

    Raises StepError if no matrix has the patterns in its name, or no direction may change.
    """
    patterns = parameters.target_patterns or ("",)
    sizes = {name: min(module.weight.shape) for name, module in _matrices(model, patterns).items()}
    kept = {name: max(1, round(size * (1 - parameters.unfreeze_rank_ratio))) for name, size in sizes.items()}
    changing = {name: kept[name] for name, size in sizes.items() if kept[name] < size}
    if not sizes:
        raise StepError(f"target_patterns: no linear layer has any of {', '.join(patterns)} in its name")
    if not changing:
        raise StepError(f"unfreeze_rank_ratio {parameters.unfreeze_rank_ratio} leaves no direction that may change")
    ranks = {f"^{re.escape(name)}$": rank for name, rank in changing.items()}
    return OSFConfig(target_modules=list(changing), rank_pattern=ranks, task_type="CAUSAL_LM")


def _matrices(model: Any, patterns: tuple[str, ...]) -> dict[str, Any]:
    output = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not output and any(pattern in name for pattern in patterns)
    }


class KeepOrthogonal(TrainerCallback):
    """Takes out of every update what points into the kept directions.

    PEFT projects the gradients, but AdamW scales each of their entries by its own history, which turns them back.
    """

    @torch.no_grad()
    def on_optimizer_step(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        """Project the changing factors of every matrix back into the space that is orthogonal to the kept ones."""
        for layer in model.modules():
            if isinstance(layer, OSFLayer):
                for adapter, factors in layer.osf_svd_params.items():
                    _project(layer, adapter, factors)


def _project(layer: Any, adapter: str, factors: Any) -> None:
    """PEFT keeps the directions of the smaller side only as the complement of those that change."""
    left, right = factors["U_low"], factors["V_low"]
    if adapter in layer._osf_U_high:
        kept = layer._osf_U_high[adapter]
        left -= kept @ (kept.T @ left)
    else:
        free = layer._osf_U_low_init[adapter]
        left.copy_(free @ (free.T @ left))
    if adapter in layer._osf_V_high:
        kept = layer._osf_V_high[adapter]
        right -= (right @ kept.T) @ kept
    else:
        free = layer._osf_V_low_init[adapter]
        right.copy_((right @ free.T) @ free)
