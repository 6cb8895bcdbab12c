"""Suites of the evaluation harness, with tasks from a folder of one's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import animals
import pytest
from steprun import Done, result, run, write_request

from hub_steps.contract import BadRequestError
from hub_steps.evaluate.compare import compare, shared_values, value
from hub_steps.evaluate.harness import check_names
from hub_steps.evaluate.report import Evaluation
from hub_steps.parameters.evaluate import LmEval

if TYPE_CHECKING:
    from pathlib import Path

CHOICE = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}.jsonl, dev: {rows}.jsonl}}}}
test_split: test
fewshot_split: dev
output_type: multiple_choice
doc_to_text: "{{{{question}}}} Answer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: answer
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""
LIKELIHOOD = """\
task: own_text
dataset_path: json
dataset_kwargs: {data_files: {test: texts.jsonl}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
metric_list:
  - {metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
  - {metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}
metadata: {version: 1.0}
"""
GROUP = """\
group: own_group
task: [own_choice]
"""


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks of one's own, two of MMLU's among them, so that no test needs the hub."""
    folder = tmp_path_factory.mktemp("tasks")
    pairs = animals.QUESTIONS
    rows = [{"question": asked, "choices": [told, *(other for _, other in pairs[place - 3 : place])], "answer": 0}
            for place, (asked, told) in enumerate(pairs) if place > 2]  # fmt: skip
    (folder / "few.jsonl").write_text("\n".join(json.dumps(row) for row in rows[:4]))
    (folder / "many.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    (folder / "texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in animals.CONTEXTS))
    for name, source in (("own_choice", "many"), ("mmlu_anatomy", "few"), ("mmlu_virology", "many")):
        (folder / f"{name}.yaml").write_text(CHOICE.format(name=name, rows=source))
    (folder / "own_text.yaml").write_text(LIKELIHOOD)
    (folder / "own_group.yaml").write_text(GROUP)
    return folder


def evaluate(folder: Path, model: Path, tasks: Path, suite: dict[str, Any], **more: Path) -> tuple[Done, dict[str, Any]]:
    given = {"model": {"uri": model.as_uri(), "key": "m" * 64}}
    given |= {name: {"uri": path.as_uri(), "key": name} for name, path in more.items()}
    request = write_request(folder, "evaluate", {"suite": suite}, given)
    done = run("evaluate", request, HUBC_LM_EVAL_TASKS=str(tasks), HF_HOME=str(folder / "hub"), HF_HUB_OFFLINE="1")
    path = folder / "out" / "evaluation.json"
    return done, json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory, model: Path, tasks: Path) -> tuple[Done, dict[str, Any]]:
    """What the harness found on a task and on a group that has another one."""
    suite = {"suite": "lm_eval", "name": "mine", "tasks": ["own_text", "own_group"], "num_fewshot": 1, "limit": 10,
             "apply_chat_template": True}  # fmt: skip
    return evaluate(tmp_path_factory.mktemp("measured"), model, tasks, suite)


def test_tasks_of_the_harness(measured: tuple[Done, dict[str, Any]]) -> None:
    done, found = measured
    assert done.code == 0, done.stderr
    assert found["metrics"] == ["own_text.word_perplexity", "own_text.bits_per_byte", "own_choice.acc"]
    assert set(found["lower_is_better"]) == {"own_text.word_perplexity", "own_text.bits_per_byte"}
    assert list(found["figures"]) == ["own_text", "own_choice", "overall"]
    choice = found["figures"]["own_choice"]
    assert choice["num_questions"] == 10
    assert 0 <= choice["values"]["acc"] <= 1
    assert choice["stderr"]["acc"] > 0 or choice["values"]["acc"] in (0, 1)
    overall = found["figures"]["overall"]
    assert overall["num_questions"] == 15
    assert overall["values"]["own_choice.acc"] == choice["values"]["acc"]
    assert overall["values"]["own_text.word_perplexity"] > 1
    assert [event["unit"] for event in done.events if event["hubc"] == "progress"][-1] == "requests"


def test_direction_of_the_harness_metrics(measured: tuple[Done, dict[str, Any]]) -> None:
    base = Evaluation.model_validate(measured[1])
    higher = {name: row.model_copy(update={"values": {metric: (value or 0) + 0.2 for metric, value in row.values.items()}})
              for name, row in base.figures.items()}  # fmt: skip
    found = compare(base, base.model_copy(update={"figures": higher}), LmEval(suite="lm_eval", tasks=("own_choice",)))
    assert (found.improvements, found.regressions) == (("own_choice",), ("own_text",))
    assert found.groups["overall"].changes["own_text.bits_per_byte"].verdict == "regressed"
    assert shared_values(base, base, "own_choice.acc") == (value(base, "own_choice.acc"),) * 2


def test_mmlu(model: Path, tasks: Path, tmp_path: Path) -> None:
    suite = {"suite": "mmlu", "subjects": ["virology", "anatomy"], "num_fewshot": 2}
    done, found = evaluate(tmp_path, model, tasks, suite)
    assert done.code == 0, done.stderr
    assert set(found["figures"]) == {"virology", "anatomy", "overall"}
    rows = [found["figures"][name] for name in ("virology", "anatomy")]
    assert [row["num_questions"] for row in rows] == [12, 4]
    mean = sum(row["num_questions"] * row["values"]["accuracy"] for row in rows) / 16
    assert found["figures"]["overall"]["values"] == {"accuracy": pytest.approx(mean)}
    assert found["figures"]["overall"]["stderr"]["accuracy"] > 0
    assert found["metrics"] == ["accuracy"]
    assert result(tmp_path / "out")["summary"].startswith("16 questions, accuracy 0.")


def test_data_that_cannot_be_fetched(model: Path, tasks: Path, tmp_path: Path) -> None:
    done, _ = evaluate(tmp_path, model, tasks, {"suite": "lm_eval", "tasks": ["arc_easy"]})
    assert done.code == 75
    assert done.error.startswith("cannot fetch the data of the harness's tasks (arc_easy): ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("arc_esy", "; near names: arc_easy"),
        ("mmlu_anatomi", "; near names: mmlu_anatomy"),
        ("evil.yaml", ""),
        ("zzz", ""),
    ],
)
def test_task_that_there_is_not(name: str, hint: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        check_names(["arc_easy", name], ["arc_easy", "mmlu_anatomy"])
    assert str(caught.value) == f"the evaluation harness has no task or group '{name}'{hint}"


def test_folder_of_tasks_that_is_not_there(model: Path, tmp_path: Path) -> None:
    done, _ = evaluate(tmp_path, model, tmp_path / "none", {"suite": "lm_eval", "tasks": ["arc_easy"]})
    assert (done.code, done.error) == (1, f"HUBC_LM_EVAL_TASKS names '{tmp_path / 'none'}', which is not a folder")
