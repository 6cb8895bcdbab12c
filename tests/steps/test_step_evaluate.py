"""The evaluate step: its figures against independent ones, and the comparison with a baseline."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import Done, result, run, write_request

from hub_steps.contract import StepError
from hub_steps.evaluate.metrics import token_f1, verdict
from hub_steps.taxonomy import Pair

if TYPE_CHECKING:
    from pathlib import Path

OTHER: dict[str, Any] = json.loads(json.dumps(animals.LEAF).replace("the ", "an ").replace("?", " ?"))
TAXONOMY = {"key": "8" * 64, "documents": {"knowledge/a": animals.LEAF, "knowledge/b": OTHER}}
PARAMETERS = {"max_new_tokens": 8, "batch_size": 7}


def evaluate_request(folder: Path, model: Path, baseline: Path | None = None, taxonomy: dict[str, Any] = TAXONOMY) -> Path:
    inputs: dict[str, Any] = {"model": {"uri": model.as_uri(), "key": "m" * 64}, "taxonomy": taxonomy}
    if baseline:
        inputs["baseline"] = {"uri": baseline.as_uri(), "key": "b" * 64}
    return write_request(folder, "evaluate", PARAMETERS, inputs)


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, model: Path, trained: dict[str, tuple[Path, list[Done]]]
) -> dict[str, tuple[dict[str, Any], Done]]:
    """The evaluations of the base model, and of the tuned model compared with it."""
    folder = tmp_path_factory.mktemp("evaluated")
    done = {"base": run("evaluate", evaluate_request(folder / "base", model))}
    baseline = folder / "base" / "out" / "evaluation.json"
    done["tuned"] = run("evaluate", evaluate_request(folder / "tuned", trained["one"][0] / "model", baseline))
    assert [ended.code for ended in done.values()] == [0, 0], done
    assert result(folder / "base" / "out")["summary"].startswith("30 questions, NLL ")
    return {name: (json.loads((folder / name / "out" / "evaluation.json").read_text()), done[name]) for name in done}


def test_every_question_is_answered(evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    found, done = evaluated["base"]
    assert len(found["answers"]) == 30
    assert [(answer["question"], answer["reference"]) for answer in found["answers"][:15]] == animals.QUESTIONS
    assert [event["done"] for event in done.events if event["hubc"] == "progress"] == list(range(1, 31))
    assert "Traceback" not in done.stderr
    assert found["comparison"] is None
    for answer in found["answers"]:
        assert answer["f1"] == token_f1(answer["answer"], answer["reference"])


@pytest.mark.parametrize("name", ["base", "tuned"])
def test_figures_are_those_of_the_answers(name: str, evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    found, _ = evaluated[name]
    groups = {"knowledge/a": found["answers"][:15], "knowledge/b": found["answers"][15:], "overall": found["answers"]}
    assert list(found["figures"]) == list(groups)
    for leaf, answers in groups.items():
        assert found["figures"][leaf]["num_questions"] == len(answers)
        assert found["figures"][leaf]["nll"] == pytest.approx(
            sum(answer["nll"] for answer in answers) / sum(answer["num_tokens"] for answer in answers)
        )
        assert found["figures"][leaf]["f1"] == pytest.approx(sum(answer["f1"] for answer in answers) / len(answers))


def test_comparison(evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    base, tuned = evaluated["base"][0], evaluated["tuned"][0]
    assert list(tuned["comparison"]) == ["knowledge/a", "knowledge/b", "overall"]
    for leaf, row in tuned["comparison"].items():
        assert (row["nll"]["base"], row["nll"]["tuned"]) == (base["figures"][leaf]["nll"], tuned["figures"][leaf]["nll"])
        assert (row["f1"]["base"], row["f1"]["tuned"]) == (base["figures"][leaf]["f1"], tuned["figures"][leaf]["f1"])
        assert row["nll"]["verdict"] == "improved"
        pairs = [
            old["nll"] / old["num_tokens"] - new["nll"] / new["num_tokens"]
            for old, new in zip(base["answers"], tuned["answers"], strict=True)
            if leaf in ("overall", new["leaf"])
        ]
        assert row["num_questions"] == len(pairs)
        assert row["num_improved"] == sum(gain >= 0.01 for gain in pairs) > 0
        assert row["num_regressed"] == sum(gain <= -0.01 for gain in pairs)


def test_likelihood_is_that_of_a_plain_loop(evaluated: dict[str, tuple[dict[str, Any], Done]], model: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    for answer in evaluated["base"][0]["answers"]:
        prompt = f"<|im_start|>user\n{answer['question']}<|im_end|>\n<|im_start|>assistant\n"
        before = tokenizer(prompt)["input_ids"]
        wanted = tokenizer(answer["reference"] + "<|im_end|>")["input_ids"]
        total = 0.0
        with torch.inference_mode():
            for place, token in enumerate(wanted):
                scores = network(torch.tensor([before + wanted[:place]])).logits[0, -1]
                total -= torch.log_softmax(scores.double(), dim=-1)[token].item()
        assert answer["num_tokens"] == len(wanted)
        assert answer["nll"] == pytest.approx(total, rel=1e-4)


def test_batches_change_nothing(model: Path) -> None:
    from hub_steps.evaluate.measure import greedy_answers, reference_nll
    from hub_steps.models.load import load_model, load_tokenizer

    network, tokenizer = load_model(model).eval(), load_tokenizer(model)
    pairs = [Pair(question=asked, answer=told * (1 + place % 3)) for place, (asked, told) in enumerate(animals.QUESTIONS)]
    alone = list(reference_nll(network, tokenizer, pairs, 1))
    said = list(greedy_answers(network, tokenizer, pairs, 1, 8))
    for batch_size in (2, 4, 100):
        together = list(reference_nll(network, tokenizer, pairs, batch_size))
        assert [count for _, count in together] == [count for _, count in alone]
        assert [nll for nll, _ in together] == pytest.approx([nll for nll, _ in alone], rel=1e-4)
        assert list(greedy_answers(network, tokenizer, pairs, batch_size, 8)) == said


def other_leaf(evaluation: dict[str, Any]) -> str:
    evaluation["answers"][0]["leaf"] = "knowledge/b"
    return json.dumps(evaluation)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda found: json.dumps(found | {"answers": found["answers"][1:]}), "the baseline answered other questions"),
        (other_leaf, "the baseline answered other questions"),
        (lambda found: "{}", "model: Field required; answers: Field required; figures: Field required"),
        (lambda found: "", "Invalid JSON"),
    ],
)
def test_baseline_that_cannot_be_compared(
    change: Any, wanted: str, evaluated: dict[str, tuple[dict[str, Any], Done]], model: Path, tmp_path: Path
) -> None:
    from hub_steps.evaluate import step
    from hub_steps.runner import read_request
    from hub_steps.workspace import Workspace

    baseline = tmp_path / "baseline.json"
    baseline.write_text(change(json.loads(json.dumps(evaluated["base"][0]))))
    request, parameters = read_request("evaluate", str(evaluate_request(tmp_path, model, baseline)))
    workspace = Workspace(request)
    workspace.open()
    with pytest.raises(StepError) as caught:
        step.main(workspace, parameters)
    assert str(caught.value).startswith(f"cannot compare with {baseline}: {wanted}")


def test_weights_that_are_not_there(model: Path, tmp_path: Path) -> None:
    import shutil

    from hub_steps.models.load import load_model, load_tokenizer

    bare = shutil.copytree(model, tmp_path / "bare")
    (bare / "model.safetensors").rename(bare / "pytorch_model.bin")
    with pytest.raises(StepError, match=f"cannot load the model in {bare}: "):
        load_model(bare)
    (bare / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(StepError, match=f"cannot load the model in {bare}: "):
        load_model(bare)
    (bare / "tokenizer.json").write_text("{")
    with pytest.raises(StepError, match=f"cannot load the tokenizer in {bare}: "):
        load_tokenizer(bare)


def test_code_in_a_model_does_not_run(model: Path, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(model, tmp_path / "evil")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    script = "import sys, pathlib; from hub_steps.models.load import load_model; load_model(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, input="y\n" * 9, capture_output=True, text=True, check=False, timeout=120)
    assert f"StepError: cannot load the model in {folder}: " in done.stderr
    assert not (tmp_path / "ran").exists()


def test_template_that_hides_the_answer(model: Path) -> None:
    from hub_steps.evaluate.measure import reference_nll
    from hub_steps.models.load import load_model, load_tokenizer

    network, tokenizer = load_model(model).eval(), load_tokenizer(model)
    tokenizer.chat_template = (
        "{% for message in messages if message['role'] == 'user' %}{{ message['content'] }}{% endfor %}"
    )
    with pytest.raises(StepError, match="the chat template does not show the assistant's answer"):
        list(reference_nll(network, tokenizer, [Pair(question="What?", answer="That.")], 1))


@pytest.mark.parametrize(
    ("answer", "reference", "f1"),
    [
        ("the cat sat", "A cat sat!", 1.0),
        ("cat", "cat sat on mat", 2 * 1 * 0.25 / 1.25),
        ("cat cat cat", "cat", 0.5),
        ("one two three four", "two three five", 2 * 0.5 * (2 / 3) / (0.5 + 2 / 3)),
        ("dog", "cat", 0.0),
        ("", "cat", 0.0),
        ("the", "a", 1.0),
        ("theatre", "atre", 0.0),
        ("U.S.", "us", 1.0),
        ("Zürich", "zürich", 1.0),
    ],
)
def test_token_f1(answer: str, reference: str, f1: float) -> None:
    assert token_f1(answer, reference) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("base", "tuned", "least", "lower", "higher"),
    [
        (2.0, 1.0, 0.5, "improved", "regressed"),
        (1.0, 2.0, 0.5, "regressed", "improved"),
        (1.0, 1.25, 0.5, "no change", "no change"),
        (1.0, 1.5, 0.5, "regressed", "improved"),
        (1.0, 1.0, 0.0, "no change", "no change"),
        (1.0, 1.25, 0.0, "regressed", "improved"),
    ],
)
def test_verdict(base: float, tuned: float, least: float, lower: str, higher: str) -> None:
    assert verdict(base, tuned, least, lower_is_better=True) == lower
    assert verdict(base, tuned, least, lower_is_better=False) == higher
