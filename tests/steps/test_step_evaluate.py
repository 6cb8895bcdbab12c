"""The evaluate step: its figures against independent ones, and the comparison with a baseline."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import animals
import pytest
from evaluating import measured, overfit
from steprun import Done, result, run, write_request

from hub_steps.contract import StepError
from hub_steps.evaluate.compare import compare, shared_values
from hub_steps.evaluate.metrics import token_f1, verdict
from hub_steps.evaluate.report import Answer, Evaluation, summarize
from hub_steps.holdout import held_out
from hub_steps.parameters.evaluate import HeldOut
from hub_steps.taxonomy import KnowledgeLeaf

if TYPE_CHECKING:
    from pathlib import Path

OTHER: dict[str, Any] = json.loads(json.dumps(animals.LEAF).replace("the ", "an ").replace("?", " ?"))
TAXONOMY = {"key": "8" * 64, "documents": {"knowledge/a": animals.LEAF, "knowledge/b": OTHER}}
PARAMETERS = {"suite": {"suite": "held_out", "max_new_tokens": 8, "batch_size": 7}}


def evaluate_request(folder: Path, model: Path, baseline: Path | None = None, taxonomy: dict[str, Any] = TAXONOMY) -> Path:
    inputs: dict[str, Any] = {"model": {"uri": model.as_uri(), "key": "m" * 64}, "taxonomy": taxonomy}
    if baseline:
        inputs["baseline"] = {"uri": baseline.as_uri(), "key": "b" * 64}
    return write_request(folder, "evaluate", PARAMETERS, inputs)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, tuple[dict[str, Any], Done]]:
    """The evaluations of the base model, and of one that was taught the answers, compared with it."""
    from hub_steps.models.load import load_model

    folder = tmp_path_factory.mktemp("evaluated")
    tuned = shutil.copytree(model, folder / "model")
    overfit(load_model(model), model).save_pretrained(tuned)
    done = {"base": run("evaluate", evaluate_request(folder / "base", model))}
    baseline = folder / "base" / "out" / "evaluation.json"
    done["tuned"] = run("evaluate", evaluate_request(folder / "tuned", tuned, baseline))
    assert [ended.code for ended in done.values()] == [0, 0], done
    assert result(folder / "base" / "out")["summary"].startswith("30 questions, NLL ")
    return {name: (json.loads((folder / name / "out" / "evaluation.json").read_text()), done[name]) for name in done}


def test_every_question_is_answered(evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    found, done = evaluated["base"]
    assert len(found["answers"]) == 30
    assert [(answer["question"], answer["reference"]) for answer in found["answers"][:15]] == animals.QUESTIONS
    assert [event["done"] for event in done.events if event["hubc"] == "progress"] == list(range(1, 31))
    assert "Traceback" not in done.stderr
    assert "comparison" not in found
    assert (found["version"], found["suite"], found["name"]) == ("hubc.evaluation/v1", "held_out", "held_out")
    assert (found["metrics"], found["lower_is_better"]) == (["nll", "f1"], ["nll"])
    for answer in found["answers"]:
        assert answer["scores"]["f1"] == token_f1(answer["answer"], answer["reference"])


@pytest.mark.parametrize("name", ["base", "tuned"])
def test_figures_are_those_of_the_answers(name: str, evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    found, _ = evaluated[name]
    groups = {"knowledge/a": found["answers"][:15], "knowledge/b": found["answers"][15:], "overall": found["answers"]}
    assert list(found["figures"]) == list(groups)
    for leaf, answers in groups.items():
        assert found["figures"][leaf]["num_questions"] == len(answers)
        values = found["figures"][leaf]["values"]
        assert values["nll"] == pytest.approx(
            sum(answer["scores"]["nll"] * answer["num_tokens"] for answer in answers)
            / sum(answer["num_tokens"] for answer in answers)
        )
        assert values["f1"] == pytest.approx(sum(answer["scores"]["f1"] for answer in answers) / len(answers))


def test_comparison(evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    base, tuned = evaluated["base"][0], evaluated["tuned"][0]
    comparison = tuned["comparison"]
    assert list(comparison["groups"]) == ["knowledge/a", "knowledge/b", "overall"]
    assert comparison["improvements"] == ["knowledge/a", "knowledge/b"]
    assert comparison["regressions"] == comparison["no_changes"] == comparison["new"] == []
    for leaf, row in comparison["groups"].items():
        for metric in ("nll", "f1"):
            change = row["changes"][metric]
            assert change["base"] == base["figures"][leaf]["values"][metric]
            assert change["tuned"] == tuned["figures"][leaf]["values"][metric]
        assert row["changes"]["nll"]["verdict"] == "improved"
        gains = [
            old["scores"]["nll"] - new["scores"]["nll"]
            for old, new in zip(base["answers"], tuned["answers"], strict=True)
            if leaf in ("overall", new["group"])
        ]
        assert row["num_questions"] == len(gains)
        assert row["num_improved"] == sum(gain >= 0.01 for gain in gains) > 0
        assert row["num_regressed"] == sum(gain <= -0.01 for gain in gains)


def test_only_held_out_pairs_are_asked(model: Path, tmp_path: Path) -> None:
    inputs = {"model": {"uri": model.as_uri(), "key": "m" * 64}, "taxonomy": TAXONOMY}
    parameters = {
        "suite": {"suite": "held_out", "name": "few", "max_new_tokens": 2},
        "held_out_share": 0.2,
        "held_out_seed": 7,
    }
    _, found = measured(tmp_path, parameters, inputs)
    leaves = {name: KnowledgeLeaf.model_validate(leaf) for name, leaf in TAXONOMY["documents"].items()}
    wanted = {name: [pair.question for _, pair in pairs] for name, pairs in held_out(leaves, 0.2, 7).items()}
    assert found["name"] == "few"
    assert {
        name: [answer["question"] for answer in found["answers"] if answer["group"] == name] for name in wanted
    } == wanted
    assert found["figures"]["overall"]["num_questions"] == 6


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
        assert answer["scores"]["nll"] == pytest.approx(total / len(wanted), rel=1e-4)


def test_batches_change_nothing(model: Path) -> None:
    from hub_steps.evaluate.measure import Candidate, answered, asked, greedy_answers, last_turn_nll
    from hub_steps.models.load import load_model, load_tokenizer

    candidate = Candidate(load_model(model).eval(), load_tokenizer(model))
    told = [answered(question, answer * (1 + place % 3)) for place, (question, answer) in enumerate(animals.QUESTIONS)]
    questions = [asked(question) for question, _ in animals.QUESTIONS]
    alone = list(last_turn_nll(candidate, told, 1))
    said = list(greedy_answers(candidate, questions, 1, 8))
    for batch_size in (2, 4, 100):
        together = list(last_turn_nll(candidate, told, batch_size))
        assert [count for _, count in together] == [count for _, count in alone]
        assert [nll for nll, _ in together] == pytest.approx([nll for nll, _ in alone], rel=1e-4)
        assert list(greedy_answers(candidate, questions, batch_size, 8)) == said


def test_question_longer_than_the_context(model: Path) -> None:
    from hub_steps.evaluate.measure import Candidate, asked, greedy_answers
    from hub_steps.models.load import load_model, load_tokenizer

    candidate = Candidate(load_model(model).eval(), load_tokenizer(model))
    [answer] = greedy_answers(candidate, [asked("z" * 990)], 1, 4000)
    assert len(candidate.tokenizer(answer)["input_ids"]) <= 19
    with pytest.raises(
        StepError, match=r"a conversation of \d+ tokens does not fit into the model's context of 1024 tokens"
    ):
        list(greedy_answers(candidate, [asked("z" * 1100)], 1, 8))


def other_question(evaluation: dict[str, Any]) -> str:
    evaluation["figures"]["knowledge/a"]["questions"] = "0" * 64
    return json.dumps(evaluation)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (other_question, "cannot compare with {}: the baseline answered other questions"),
        (
            lambda found: json.dumps(found | {"name": "mine"}),
            "cannot compare with {}: the baseline was measured with the suite 'mine', not 'held_out'",
        ),
        (lambda found: "{}", "cannot read {}: metrics: Field required; figures: Field required"),
        (lambda found: json.dumps(found | {"figures": {}}), "cannot read {}: it has no figures 'overall'"),
        (lambda found: "", "cannot read {}: Invalid JSON"),
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
    assert str(caught.value).startswith(wanted.format(baseline))


def test_leaf_that_the_baseline_does_not_have(evaluated: dict[str, tuple[dict[str, Any], Done]]) -> None:
    tuned = Evaluation.model_validate(evaluated["tuned"][0])
    figures = {name: row for name, row in tuned.figures.items() if name != "knowledge/b"}
    older = figures["knowledge/a"]
    base = tuned.model_copy(update={"figures": figures | {"overall": older}, "answers": tuned.answers[:15]})
    found = compare(base, tuned, HeldOut())
    assert (found.new, found.no_changes, list(found.groups)) == (("knowledge/b",), ("knowledge/a",), ["knowledge/a"])
    assert shared_values(base, tuned, "f1") == (older.values["f1"], older.values["f1"])
    assert shared_values(base, tuned, "knowledge/b.f1") is None


def test_weights_that_are_not_there(model: Path, tmp_path: Path) -> None:
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
    from hub_steps.evaluate.measure import Candidate, answered, last_turn_nll
    from hub_steps.models.load import load_model, load_tokenizer

    network, tokenizer = load_model(model).eval(), load_tokenizer(model)
    tokenizer.chat_template = (
        "{% for message in messages if message['role'] == 'user' %}{{ message['content'] }}{% endfor %}"
    )
    with pytest.raises(StepError, match="the chat template does not show the assistant's answer"):
        list(last_turn_nll(Candidate(network, tokenizer), [answered("What?", "That.")], 1))


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


def test_what_is_not_a_number_is_worse_than_any_number() -> None:
    assert verdict(1.0, None, 0.1, lower_is_better=True) == "regressed"
    assert verdict(None, 1.0, 0.1, lower_is_better=True) == "improved"
    assert verdict(None, None, 0.1, lower_is_better=True) == "no change"
    answers = tuple(
        Answer(group="a", question="?", answer="", scores={"nll": nll, "f1": 0.5}, num_tokens=3) for nll in (1.0, math.nan)
    )
    [_, overall] = summarize(answers, ("nll", "f1")).values()
    assert overall.values == {"nll": None, "f1": 0.5}
    assert Answer.model_validate_json(answers[1].model_dump_json()) == answers[1]
