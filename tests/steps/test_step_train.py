"""The train step: what it writes, on one node and on two, and what it says when it cannot train."""

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import Done, files, finish, result, rows, run, start
from trainrun import STEPS, data, job, only_process, train_request, write_data

from hub_steps.contract import StepError
from hub_steps.models.load import load_tokenizer
from hub_steps.parameters import TrainStepParameters
from hub_steps.train.checkpoints import last_checkpoint, remove_halves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("nodes", ["one", "two"])
def test_outputs(nodes: str, trained: dict[str, tuple[Path, list[Done]]]) -> None:
    output, ended = trained[nodes]
    assert [done.code for done in ended] == [0] * len(ended), ended
    made = {"adapter", "checkpoints", "model", "metrics.jsonl", "loss_curve.png", "result.json"}
    assert made == {path.name for path in output.iterdir()}
    assert [path.name for path in (output / "checkpoints").iterdir()] == [f"checkpoint-{STEPS}"]
    assert not output.with_name("out.partial").exists()
    for name in files(output):
        if name.startswith("checkpoints/"):
            continue
        assert name.endswith((".safetensors", ".json", ".jsonl", ".jinja", ".png", ".md")), name
    for done in ended:
        assert "Traceback" not in done.stderr
        assert {event["hubc"] for event in done.events} <= {"message", "progress"}
    told = [event for event in ended[0].events if event["hubc"] == "progress"]
    assert [event["done"] for event in told] == list(range(1, STEPS + 1))
    assert {(event["total"], event["unit"]) for event in told} == {(STEPS, "steps")}
    assert f"15 samples, {len(ended)} processes, 32,768 trainable parameters" in ended[0].messages


@pytest.mark.parametrize("nodes", ["one", "two"])
def test_metrics(nodes: str, trained: dict[str, tuple[Path, list[Done]]]) -> None:
    output, _ = trained[nodes]
    history = rows(output / "metrics.jsonl")
    assert [row["step"] for row in history] == list(range(1, STEPS + 1))
    assert all(math.isfinite(row["loss"]) and row["learning_rate"] >= 0 for row in history)
    assert all(row["tokens_per_second"] > 0 for row in history[1:])
    assert max(row["learning_rate"] for row in history) == pytest.approx(5e-3)
    assert history[-1]["loss"] < history[0]["loss"] - 0.5
    found = result(output)
    measured = {name: found["metrics"].pop(name) for name in ("tokens_per_second", "peak_memory_bytes", "wall_seconds")}
    assert all(value > 0 for value in measured.values())
    assert found["metrics"] == {
        "samples": 15, "too_long": 1, "trainable_parameters": 32768,
        "steps": STEPS, "first_loss": history[0]["loss"], "last_loss": history[-1]["loss"],
    }  # fmt: skip
    assert found["summary"].startswith(f"15 samples, {STEPS} steps, loss ")


def test_loss_curve_is_a_picture(trained: dict[str, tuple[Path, list[Done]]]) -> None:
    from matplotlib.image import imread

    assert imread(trained["one"][0] / "loss_curve.png").shape == (480, 840, 4)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # asked for by PEFT
def test_merged_model_is_base_and_adapter(trained: dict[str, tuple[Path, list[Done]]], model: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    output, _ = trained["one"]
    merged = AutoModelForCausalLM.from_pretrained(output / "model", dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(output / "model")
    ids = tokenizer(" ".join(animals.CONTEXTS), return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        before = base(ids).logits
        after = PeftModel.from_pretrained(base, str(output / "adapter")).eval()(ids).logits
        assert (merged(ids).logits - after).abs().max() < 0.05 < (before - after).abs().max()
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(model).chat_template


def test_two_nodes_learn_what_one_learns(trained: dict[str, tuple[Path, list[Done]]]) -> None:
    one, two = (rows(trained[nodes][0] / "metrics.jsonl") for nodes in ("one", "two"))
    # The first step sees the same eight samples, with dropout masks of its own.
    assert one[0]["loss"] == pytest.approx(two[0]["loss"], rel=0.02)
    assert one[-1]["loss"] == pytest.approx(two[-1]["loss"], rel=0.3)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, Done]:
    """Trainings that cannot be done."""
    folder = tmp_path_factory.mktemp("refused")
    sample = data(folder)
    empty = write_data(folder / "empty.jsonl", [])
    running = {
        "empty": start("train", train_request(folder / "a", model, empty)),
        "alone": start("train", train_request(folder / "b", model, sample), PET_NNODES="2"),
        "no-model": start("train", train_request(folder / "c", folder / "nowhere", sample)),
        "no-config": start("train", train_request(folder / "d", folder, sample)),
        "no-data": start("train", train_request(folder / "e", model, folder / "nowhere")),
        "diverged": start("train", train_request(folder / "f", model, sample, weight_decay=1e38, learning_rate=10.0)),
    }
    return {case: finish(process) for case, process in running.items()}


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("empty", "empty.jsonl is empty: there is nothing to learn from"),
        ("alone", "PET_NNODES is 2, but PET_MASTER_ADDR is not set: the nodes cannot find each other"),
        ("no-model", "there is no file:///"),
        ("no-config", "holds no 'config.json': it is not a Transformers model"),
        ("no-data", "input 'data' is missing: /"),
        ("diverged", "lower the learning rate"),
    ],
)
def test_training_that_cannot_be_done(case: str, wanted: str, refused: dict[str, Done]) -> None:
    done = refused[case]
    assert done.code == 1
    assert wanted in done.error


def fault(folder: Path, rows: Path, model: Path, **parameters: Any) -> tuple[int, str]:
    """Return what a training process leaves for its launcher."""
    from hub_steps.train import worker
    from hub_steps.train.job import FAULT_FILE, JOB_FILE

    (folder / JOB_FILE).write_text(job(folder, model, rows, **parameters).model_dump_json())
    with only_process():
        assert worker.main(folder) == 1
    left = json.loads((folder / FAULT_FILE).read_text())
    return left["exit_code"], left["message"]


def test_batch_that_cannot_be_shared_out(tmp_path: Path, model: Path) -> None:
    from hub_steps.train.data import read_data
    from hub_steps.train.trainer import trainer_arguments

    parameters = TrainStepParameters()
    rows = read_data(data(tmp_path), load_tokenizer(model), parameters)
    with pytest.raises(StepError, match="effective_batch_size 8 is not divisible by 3 processes"):
        trainer_arguments(parameters, rows, tmp_path, 3)


def test_model_without_a_chat_template(tmp_path: Path, model: Path) -> None:
    bare = shutil.copytree(model, tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    wanted = f"the tokenizer in {bare} has no chat template; use an instruction-tuned base model"
    assert fault(tmp_path, data(tmp_path), bare) == (1, wanted)


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"precision": "fp16"}, "precision fp16 needs an accelerator; without one, use bf16 or fp32"),
        ({"parallelism": {"strategy": "fsdp"}}, "parallelism fsdp needs an accelerator; without one, use ddp or deepspeed"),
        ({"use_liger": True}, "use_liger needs an accelerator: Liger kernels do not run on a CPU"),
        ({"attention": "flash_attention_2"}, "cannot load the model in "),
        ({"max_tokens_per_gpu": 16}, "a sample has 45 tokens, more than max_tokens_per_gpu 16"),
        ({"target_modules": ["nothing"]}, "cannot put adapters on the model: "),
        ({"algorithm": "osft", "target_patterns": ["nothing"]}, "target_patterns: no linear layer has any of nothing"),
        ({"algorithm": "osft", "unfreeze_rank_ratio": 0.001}, "unfreeze_rank_ratio 0.001 leaves no direction"),
        ({"validation_split": 0.99}, "train.jsonl: validation_split 0.99 of 15 rows leaves none to learn from"),
    ],
)  # fmt: skip
def test_parameter_that_cannot_be_followed(parameters: dict[str, Any], wanted: str, tmp_path: Path, model: Path) -> None:
    code, text = fault(tmp_path, data(tmp_path), model, **parameters)
    assert code == 1
    assert text.startswith(wanted)
    assert "\n" not in text


def test_halves_of_checkpoints(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for name, state in {"checkpoint-9": "{}", "checkpoint-10": "{}", "checkpoint-11": "{", "checkpoint-12": None}.items():
        (tmp_path / name).mkdir()
        if state:
            (tmp_path / name / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    remove_halves(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-9"]


def test_full_disk_while_saving(small_disk: Callable[[str], Path], tmp_path: Path, model: Path) -> None:
    output = small_disk("256k") / "out"
    done = run("train", train_request(tmp_path, model, data(tmp_path), output, num_epochs=1, save_steps=None))
    assert done.code == 75, done.stderr
    assert done.error.startswith("no space left on the device that holds ")
