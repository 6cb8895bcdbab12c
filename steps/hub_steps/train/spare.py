"""Optional packages that a training does not use are hidden from it.

Transformers and PEFT import each of them if it is installed, which takes seconds and hundreds of megabytes in every
process, and some write to standard output, which is for events.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hub_steps.parameters import TrainStepParameters


def hide_unused(parameters: TrainStepParameters) -> None:
    """Let the packages that these parameters have no use for count as not installed in this process."""
    used = {
        "bitsandbytes": parameters.algorithm == "qlora_sft",
        "datasets": parameters.algorithm == "dpo",
        "deepspeed": parameters.parallelism.strategy == "deepspeed",
        "wandb": parameters.tracking.wandb is not None,
    }
    for name, is_used in used.items():
        if not is_used and name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment] # what the import system takes for "not there"
