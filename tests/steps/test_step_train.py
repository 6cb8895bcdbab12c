"""The train step: what it writes, on one node and on two, and what it says when it cannot train."""

from __future__ import annotations

import json
import math
import shutil
from typing import TYPE_CHECKING

import animals
import pytest
from steprun import Done, files, finish, result, rows, run, start
from trainrun import STEPS, conversation, data, train_request, write_data

from hub_steps.contract import StepError
from hub_steps.train.checkpoints import last_checkpoint, remove_halves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("nodes", ["one", "two"])
def test_outputs(nodes: str, trained: dict[str, tuple[Path, list[Done]]]) -> None:
    output, ended = trained[nodes]
    assert [done.code for done in ended] == [0] * len(ended), ended
    assert {"adapter", "model", "metrics.jsonl", "loss_curve.png", "result.json"} == {path.name for path in output.iterdir()}
    assert not output.with_name("out.partial").exists()
    for name in files(output):
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
    assert found["metrics"] == {
        "samples": 15, "too_long": 1, "steps": STEPS, "first_loss": history[0]["loss"], "last_loss": history[-1]["loss"],
        "tokens_per_second": found["metrics"]["tokens_per_second"],
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
        "diverged": start("train", train_request(folder / "f", model, sample, learning_rate=1e30, max_grad_norm=1e30)),
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


@pytest.fixture
def job(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the launcher gives it to a training process."""
    from hub_steps.train.job import JOB_FILE, Job

    for name, value in {"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "-1"}.items():
        monkeypatch.setenv(name, value)
    wanted = {"model": str(model), "data": str(data(tmp_path)), "output": str(tmp_path / "out"), "parameters": {}}
    (tmp_path / JOB_FILE).write_text(Job.model_validate_json(json.dumps(wanted)).model_dump_json())
    return tmp_path


def fault(job: Path) -> tuple[int, str]:
    """Return what a training process leaves for its launcher."""
    from hub_steps.train import worker
    from hub_steps.train.job import FAULT_FILE

    assert worker.main(job) == 1
    left = json.loads((job / FAULT_FILE).read_text())
    return left["exit_code"], left["message"]


def test_batch_that_cannot_be_shared_out(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert fault(job) == (1, "effective_batch_size 8 is not divisible by 3 processes")


def test_model_without_a_chat_template(job: Path, model: Path) -> None:
    bare = shutil.copytree(model, job / "bare")
    (bare / "chat_template.jinja").unlink()
    path = job / "job.json"
    path.write_text(path.read_text().replace(str(model), str(bare)))
    assert fault(job) == (1, f"the tokenizer in {bare} has no chat template; use an instruction-tuned base model")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b'{"messages": []}', "messages: List should have at least 1 item after validation, not 0"),
        (b'{"text": "hello"}', "messages: Field required"),
        (
            b'{"messages": [{"role": "boss", "content": ""}]}',
            "messages.0.role: Input should be 'system', 'user' or 'assistant'",
        ),
        (b'{"messages": [{"role": "user", "content": "a"}]}', "no turn of an assistant to learn from"),
        (b'{"messages": [{"role": "assistant", "content": "a"}]}', "the conversation starts with an assistant's turn"),
        (b"[1]", "Input should be a valid dictionary or instance of Conversation"),
        (b"{", "Expecting property name"),
        (b"", "Expecting value"),
        (b'"\xff"', "'utf-8' codec can't decode"),
        (b"[" * 100_000, "maximum recursion depth exceeded"),
    ],
)
def test_bad_row_is_named_by_its_line(line: bytes, wanted: str, tmp_path: Path, model: Path) -> None:
    from hub_steps.models.load import load_tokenizer
    from hub_steps.train.data import read_samples

    path = write_data(tmp_path / "rows.jsonl", [conversation("a", "b")])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(StepError) as caught:
        read_samples(path, load_tokenizer(model), 100)
    assert str(caught.value).startswith(f"rows.jsonl, line 2: {wanted}")
    assert "\n" not in str(caught.value)


def test_long_samples_are_dropped_never_cut(tmp_path: Path, model: Path) -> None:
    from hub_steps.models.load import load_tokenizer
    from hub_steps.train.data import read_samples

    tokenizer = load_tokenizer(model)
    path = write_data(tmp_path / "rows.jsonl", [conversation("a", "b" * 10), conversation("a", "b" * 90)])
    (sample,), num_too_long = read_samples(path, tokenizer, 50)
    assert num_too_long == 1
    exact = len(sample["input_ids"])
    assert len(read_samples(path, tokenizer, exact)[0]) == 1
    with pytest.raises(StepError, match=f"each of its 2 samples is longer than max_seq_len {exact - 1}"):
        read_samples(path, tokenizer, exact - 1)


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
    done = run("train", train_request(tmp_path, model, data(tmp_path), output, num_epochs=1, checkpoint_at_epoch=False))
    assert done.code == 75, done.stderr
    assert done.error.startswith("no space left on the device that holds ")
