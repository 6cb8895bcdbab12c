"""Estimated memory of training beside what real training on the CPU takes: `python benchmarks/memory.py [SETTING...]`.

Every setting trains a model with random weights for two steps in a process of its own, with the train step's own code.
Measured is the highest resident memory above what the process had after its imports. The allocator is told to hand freed
blocks back at once, as an accelerator's allocator reuses them; the last column is with glibc's own settings, where the heap
stays larger than what is in use.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hubc.estimates.memory import MemoryEstimate, estimate_training
from hubc.estimates.model_shape import parse_shape
from hubc.estimates.training import Training

SMALL = {
    "model_type": "llama", "vocab_size": 16384, "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8,
    "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
SMOLLM2_135M = SMALL | {
    "vocab_size": 49152, "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3
}  # fmt: skip
NEOX = SMALL | {"model_type": "gpt_neox", "num_key_value_heads": 8, "tie_word_embeddings": False}
EXACT_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
NUM_STEPS = 2
"""The optimizer has its states from the first step on, so the second one needs most."""
_SHARED = (
    "algorithm", "precision", "micro_batch_size", "max_seq_len", "packing", "gradient_checkpointing", "attention", "lora_r",
    "lora_dropout", "target_modules", "unfreeze_rank_ratio",
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A model and a training to measure."""

    config: dict[str, Any]
    training: Training

    def estimate(self) -> MemoryEstimate:
        """Return what hubc would say of it."""
        return estimate_training(parse_shape(self.config), self.training)


_FULL = Training(algorithm="sft", on_accelerator=False, micro_batch_size=4, max_seq_len=256)
_LORA = replace(_FULL, algorithm="lora_sft")
SETTINGS = {
    "full": Setting(SMALL, _FULL),
    "full-checkpointing": Setting(SMALL, replace(_FULL, gradient_checkpointing=True)),
    "full-accumulation": Setting(SMALL, replace(_FULL, gradient_accumulation_steps=2)),
    "full-small-batch": Setting(SMALL, replace(_FULL, micro_batch_size=1, max_seq_len=64)),
    "full-eager": Setting(SMALL, replace(_FULL, attention="eager", max_seq_len=512, micro_batch_size=2)),
    "full-neox": Setting(NEOX, _FULL),
    "full-packing": Setting(SMALL, replace(_FULL, packing=True)),
    "full-bf16": Setting(SMALL, replace(_FULL, precision="bf16")),
    "full-bf16-checkpointing": Setting(SMALL, replace(_FULL, precision="bf16", gradient_checkpointing=True)),
    "lora": Setting(SMALL, _LORA),
    "lora-checkpointing": Setting(SMALL, replace(_LORA, gradient_checkpointing=True)),
    "lora-dropout": Setting(SMALL, replace(_LORA, lora_dropout=0.1)),
    "lora-bf16": Setting(SMALL, replace(_LORA, precision="bf16")),
    "osft": Setting(SMALL, replace(_FULL, algorithm="osft")),
    "lora-attention-only": Setting(SMALL, replace(_LORA, target_modules=("q_proj", "v_proj"))),
    "lora-smollm2": Setting(SMOLLM2_135M, replace(_LORA, micro_batch_size=2)),
    "full-smollm2": Setting(SMOLLM2_135M, replace(_FULL, micro_batch_size=1)),
}


def measured_bytes(name: str, *, exact_allocator: bool = True) -> int:
    """Train a setting in a process of its own and return its peak above the level after imports."""
    allocator = EXACT_ALLOCATOR if exact_allocator else {}
    environment = {**os.environ, "HUBC_DEVICE": "cpu", "OMP_NUM_THREADS": "1", **allocator}
    command = [sys.executable, __file__, "--measure", name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"measuring {name} failed:\n{done.stderr}")
    return int(json.loads(done.stdout.splitlines()[-1])["peak_bytes"])


def _measure(setting: Setting, folder: Path) -> int:
    import torch
    import transformers

    from hub_steps.parameters import TrainStepParameters
    from hub_steps.train.data import Data
    from hub_steps.train.trainer import fine_tuner, trainer_arguments

    config = transformers.AutoConfig.for_model(**setting.config)
    transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder / "model")
    training = setting.training
    parameters = TrainStepParameters(
        num_epochs=1, effective_batch_size=training.micro_batch_size * training.gradient_accumulation_steps,
        **{name: getattr(training, name) for name in _SHARED},
    )  # fmt: skip
    rows = _rows(parameters.effective_batch_size * NUM_STEPS, training.max_seq_len, setting.config["vocab_size"])
    data = Data(train=rows, validation=[], num_too_long=0)
    before = _status_bytes("VmRSS")
    arguments = trainer_arguments(parameters, data, folder, world_size=1)
    fine_tuner(folder / "model", SimpleNamespace(pad_token_id=0), data, arguments, parameters).train()
    return _status_bytes("VmHWM") - before


def _rows(count: int, length: int, vocabulary: int) -> list[dict[str, list[int]]]:
    """Make rows of random tokens, every other one shorter, so that batches are padded as real ones are."""
    chance = random.Random(0)  # noqa: S311 - reproducible, not secret
    rows = [[chance.randrange(vocabulary) for _ in range(length - 4 * (number % 2))] for number in range(count)]
    return [{"input_ids": ids, "labels": ids} for ids in rows]


def _status_bytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def main(names: list[str]) -> None:
    """Print measured and estimated memory of the settings, in MiB without the runtime's own."""
    sys.stdout.write(f"{'setting':<22}{'measured':>10}{'likely':>10}{'likely/m.':>11}{'low':>8}{'high':>8}{'glibc':>8}\n")
    for name in names or SETTINGS:
        found = SETTINGS[name].estimate()
        runtime = found.parts["runtime"]
        measured, held = measured_bytes(name), measured_bytes(name, exact_allocator=False)
        likely = found.likely_bytes - runtime
        values = (found.low_bytes - runtime, found.high_bytes - runtime, held)
        sys.stdout.write(f"{name:<22}{measured >> 20:>10}{likely >> 20:>10}{likely / measured:>11.2f}"
                         + "".join(f"{value >> 20:>8}" for value in values) + "\n")  # fmt: skip
        sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        with tempfile.TemporaryDirectory() as folder:
            peak = _measure(SETTINGS[sys.argv[2]], Path(folder))
        sys.stdout.write(json.dumps({"peak_bytes": peak}) + "\n")
    else:
        main(sys.argv[1:])
