"""Direct preference optimization through trl: answers that people chose become likelier than those they rejected.

Rafailov et al., Direct Preference Optimization (https://arxiv.org/abs/2305.18290).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasets import Dataset
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from hub_steps.train.model import base_model, lora_config
from hub_steps.train.parallel import join_processes
from hub_steps.train.trainer import Figures

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import TrainStepParameters
    from hub_steps.train.data import Data


class PreferenceTrainer(Figures, DPOTrainer):
    """trl's trainer, given samples that are tokens already; the base model under the adapters is the reference."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Save without the model card that trl adds."""
        super(DPOTrainer, self)._save_checkpoint(model, trial)


def preference_tuner(
    folder: Path, tokenizer: Any, data: Data, arguments: dict[str, Any], parameters: TrainStepParameters
) -> PreferenceTrainer:
    """Return the trainer with the model in `folder`, on which trl puts the adapters.

    Raises StepError if the model cannot be loaded.
    """
    settings = DPOConfig(**arguments, beta=parameters.dpo_beta, max_length=None, disable_dropout=False)
    join_processes(parameters)
    return PreferenceTrainer(
        model=base_model(folder, parameters),
        args=settings,
        train_dataset=Dataset.from_list(data.train),
        eval_dataset=Dataset.from_list(data.validation) if data.validation else None,
        processing_class=tokenizer,
        peft_config=lora_config(parameters),
    )
