"""Multiple choice from held-out questions, and the checkpoints of a training."""

from __future__ import annotations

import json
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import animals
import pytest
from evaluating import measured, overfit
from steprun import result, run, write_request

from hub_steps.contract import StepError

if TYPE_CHECKING:
    from pathlib import Path

CHOICE = {"suite": "mmlu_branch", "num_choices": 3, "batch_size": 6}


def inputs(model: Path, **more: Path) -> dict[str, Any]:
    given: dict[str, Any] = {"model": {"uri": model.as_uri(), "key": "m" * 64}, "taxonomy": animals.TAXONOMY}
    return given | {name: {"uri": path.as_uri(), "key": name} for name, path in more.items()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """What a training kept: an adapter that learned much, a whole model that learned nothing, and other files."""
    from peft import LoraConfig, get_peft_model

    from hub_steps.models.load import load_model

    folder = tmp_path_factory.mktemp("kept") / "checkpoints"
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of what peft asks Transformers
        adapted = get_peft_model(load_model(model), LoraConfig(r=8, target_modules="all-linear"))
    overfit(adapted, model, num_steps=20, learning_rate=2e-2).save_pretrained(folder / "checkpoint-9")
    load_model(model).save_pretrained(folder / "checkpoint-10")
    (folder / "checkpoint-best").mkdir()
    (folder / "notes.txt").touch()
    return folder


def test_multiple_choice(model: Path, tmp_path: Path) -> None:
    _, found = measured(tmp_path, {"suite": CHOICE}, inputs(model))
    told = dict(animals.QUESTIONS)
    assert [answer["question"] for answer in found["answers"]] == list(told)
    for answer in found["answers"]:
        assert answer["reference"] == told[answer["question"]]
        assert len(set(answer["choices"])) == 3
        assert {answer["reference"], answer["answer"]} <= set(answer["choices"]) <= set(told.values())
        assert answer["scores"] == {"accuracy": float(answer["answer"] == answer["reference"])}
    assert {answer["choices"].index(answer["reference"]) for answer in found["answers"]} == {0, 1, 2}
    mean = sum(answer["scores"]["accuracy"] for answer in found["answers"]) / 15
    assert found["figures"]["overall"]["values"] == {"accuracy": pytest.approx(mean)}
    _, again = measured(tmp_path / "again", {"suite": CHOICE | {"batch_size": 4}}, inputs(model))
    assert again["answers"] == found["answers"]


def test_choice_is_the_likeliest_a_token(model: Path, tmp_path: Path) -> None:
    from hub_steps.evaluate.measure import Candidate, answered, last_turn_nll
    from hub_steps.models.load import load_model, load_tokenizer

    _, found = measured(tmp_path, {"suite": CHOICE}, inputs(model))
    candidate = Candidate(load_model(model).eval(), load_tokenizer(model))
    for answer in found["answers"][:4]:
        rows = last_turn_nll(candidate, [answered(answer["question"], choice) for choice in answer["choices"]], 1)
        means = [nll / count for nll, count in rows]
        assert answer["answer"] == answer["choices"][means.index(min(means))]


def test_too_few_different_answers(model: Path, tmp_path: Path) -> None:
    parameters = {"suite": CHOICE | {"num_choices": 4}, "held_out_share": 0.2}
    with pytest.raises(StepError) as caught:
        measured(tmp_path, parameters, inputs(model))
    assert str(caught.value) == (
        "the suite 'mmlu_branch' needs 4 different answers to choose from, and the held-out pairs have 3: "
        "hold out more pairs, or ask for fewer choices with 'num_choices'"
    )


def test_checkpoints(model: Path, kept: Path, tmp_path: Path) -> None:
    parameters = {"suite": {"suite": "held_out", "max_new_tokens": 2}}
    _, base = measured(tmp_path / "base", parameters, inputs(model))
    baseline = tmp_path / "base" / "out" / "evaluation.json"
    given = inputs(model, checkpoints=kept, baseline=baseline)
    done = run("evaluate", write_request(tmp_path, "evaluate", parameters, given))
    assert done.code == 0, done.stderr
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert list(found["figures"]) == ["checkpoint-9", "checkpoint-10", "overall"]
    assert found["best"] == "checkpoint-9"
    assert found["figures"]["overall"] == found["figures"]["checkpoint-9"]
    assert found["figures"]["checkpoint-10"]["values"]["nll"] == pytest.approx(base["figures"]["overall"]["values"]["nll"])
    assert found["answers"] == []
    comparison = found["comparison"]
    assert (comparison["improvements"], comparison["no_changes"]) == (["checkpoint-9"], ["checkpoint-10"])
    summary = result(tmp_path / "out")["summary"]
    assert summary.startswith("the best of 2 checkpoints is checkpoint-9, 15 questions, NLL ")
    assert result(tmp_path / "out")["metrics"]["best"] == "checkpoint-9"


def test_checkpoints_that_are_not_there(model: Path, kept: Path, tmp_path: Path) -> None:
    parameters = {"suite": CHOICE}
    with pytest.raises(StepError, match=f"{model} holds no folder 'checkpoint-STEP'"):
        measured(tmp_path, parameters, inputs(model, checkpoints=model))
    broken = shutil.copytree(kept, tmp_path / "broken")
    (broken / "checkpoint-9" / "adapter_model.safetensors").write_bytes(b"no weights")
    with (
        warnings.catch_warnings(action="ignore", category=FutureWarning),
        pytest.raises(StepError, match=f"cannot load the adapter in {broken / 'checkpoint-9'}: "),
    ):
        measured(tmp_path / "two", parameters, inputs(model, checkpoints=broken))
