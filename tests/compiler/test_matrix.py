"""Sweeps: the variants and their names, what they share, and where their faults are."""

from __future__ import annotations

import pytest
from specfile import GENERATE, TAXONOMY, faults, plan, pointed_at

pytestmark = pytest.mark.usefixtures("repo")
TRAINED = TAXONOMY + GENERATE + "  train: {num_epochs: 2, resources: {cpus: 2}}\n  evaluate: {}\n"


def matrix(*fields: str, exclude: str = "[]") -> str:
    lines = "".join(f"      {field}\n" for field in fields)
    return f"  matrix:\n    fields:\n{lines}    exclude: {exclude}\n"


def test_every_combination_is_a_variant_with_its_values_as_name() -> None:
    found = plan(TRAINED + matrix("train.lora_r: [8, 16]", "train.learning_rate: [1e-4, 0.0005]"))
    assert found.variants == {
        "learning-rate-0-0001-lora-r-8": {"train.learning_rate": 1e-4, "train.lora_r": 8},
        "learning-rate-0-0001-lora-r-16": {"train.learning_rate": 1e-4, "train.lora_r": 16},
        "learning-rate-0-0005-lora-r-8": {"train.learning_rate": 5e-4, "train.lora_r": 8},
        "learning-rate-0-0005-lora-r-16": {"train.learning_rate": 5e-4, "train.lora_r": 16},
    }


def test_steps_that_variants_share_are_there_once() -> None:
    found = plan(TRAINED + matrix("train.lora_r: [8, 16]", "train.learning_rate: [1e-4, 5e-4]"))
    ids = [step.id for step in found.steps]
    assert {"evaluate-base", "generate"} <= set(ids)
    assert len([id for id in ids if id.startswith("train-")]) == len([id for id in ids if id.startswith("evaluate-t")]) == 4
    assert set(found.step("generate").variants) == set(found.variants)
    for name, values in found.variants.items():
        (step,) = [step for step in found.steps if step.kind == "train" and name in step.variants]
        assert step.parameters["lora_r"] == values["train.lora_r"]
        assert step.variants == (name,)
    assert all(found.step(need) for step in found.steps for need in step.needs)


def test_step_between_shares_what_it_depends_on() -> None:
    found = plan(TRAINED + matrix("generate.samples_per_seed: [1, 2]", "train.lora_r: [8, 16]"))
    assert [step.id for step in found.steps if step.kind == "generate"] == [
        "generate-samples-per-seed-1",
        "generate-samples-per-seed-2",
    ]
    train = found.step("train-samples-per-seed-2-lora-r-8")
    assert train.needs == ("generate-samples-per-seed-2",)


def test_field_that_changes_no_output_makes_no_second_step() -> None:
    found = plan(TRAINED + matrix("train.resources.cpus: [1, 2]"))
    assert {step.id for step in found.steps} == {"evaluate-base", "generate", "train", "evaluate-tuned"}
    assert [warning.rule for warning in found.warnings] == ["ineffective-parameter"]


def test_excluded_combinations_are_left_out() -> None:
    found = plan(TRAINED + matrix("train.lora_r: [8, 16]", "train.num_epochs: [1, 2]",
                                  exclude="[{train.lora_r: 8, train.num_epochs: 2}]"))  # fmt: skip
    assert len(found.variants) == 3
    assert {"train.lora_r": 8, "train.num_epochs": 2} not in found.variants.values()


def test_number_at_once_and_publishing_places() -> None:
    text = TRAINED + "  publish: {location: published/tides}\n" + matrix("train.lora_r: [8, 16]") + "    max_parallel: 2\n"
    found = plan(text)
    assert found.max_parallel == 2
    assert sorted(step.parameters["location"] for step in found.steps if step.kind == "publish") == [
        "published/tides/lora-r-16",
        "published/tides/lora-r-8",
    ]


@pytest.mark.parametrize(
    ("field", "place", "values"),
    [
        ("train.parallelism.strategy: [ddp, fsdp]", ("parallelism", "strategy"), ["ddp", "fsdp"]),
        ("train.resources.nodes: [1, 2]", ("seed",), [42]),
    ],
)
def test_nested_field(field: str, place: tuple[str, ...], values: list[object]) -> None:
    found = []
    for step in plan(TRAINED + matrix(field)).steps:
        if step.kind == "train":
            value: object = step.parameters
            for part in place:
                value = value[part]  # type: ignore[index] # parameters are nested mappings
            found.append(value)
    assert found == values


def test_position_in_a_list() -> None:
    phases = "  train: {phases: [{name: knowledge}, {name: skills, num_epochs: 2}]}\n"
    found = plan(TAXONOMY + GENERATE + phases + matrix("train.phases.1.num_epochs: [4, 5]"))
    trains = [step.id for step in found.steps if step.kind == "train"]
    assert trains == ["train-knowledge", "train-skills-num-epochs-4", "train-skills-num-epochs-5"]
    assert found.step("train-skills-num-epochs-5").needs == ("train-knowledge", "generate")


def test_names_that_would_be_too_long_or_no_words() -> None:
    suites = "evaluate.suites: [[{suite: held_out}], [{suite: mmlu_branch}]]"
    found = plan(TRAINED + matrix(suites))
    assert all(name.startswith("variant-") and len(name) == 16 for name in found.variants)
    words = "train.target_modules: [[q_proj], [q_proj, k_proj, v_proj, o_proj]]"
    assert len(plan(TRAINED + matrix(words)).variants) == 2


@pytest.mark.parametrize(
    ("field", "pointed", "rule"),
    [
        ("train.learning_rate: [1e-4, -1]", "-1", "invalid-value"),
        ("train.lora_r: [8, many]", "many", "wrong-type"),
        ("train.lora_rank: [8, 16]", "train.lora_rank", "matrix-field"),
        ("train.phases.0.num_epochs: [8, 16]", "train.phases.0.num_epochs", "matrix-field"),
        ("model.location: ['hf://a/b@main']", "'hf://a/b@main'", "unpinned-revision"),
        ("taxonomy.path: [specs/taxonomy, specs/nope]", "specs/nope", "empty-taxonomy"),
        ("train.lora_r: [8, 8]", "8", "invalid-value"),
        ("matrix.max_parallel: [1, 2]", "matrix.max_parallel", "matrix-field"),
        ("schedule.cron: ['@daily', '@hourly']", "schedule.cron", "matrix-field"),
        ("evaluate.suites.0.batch_size: [1, 2]", "evaluate.suites.0.batch_size", "matrix-field"),
        ("train.num_epochs.x: [1, 2]", "train.num_epochs.x", "matrix-field"),
    ],
)
def test_fault_points_at_the_value_in_the_matrix(field: str, pointed: str, rule: str) -> None:
    found = faults(TRAINED + matrix(field))
    assert [(pointed_at(item), item.rule) for item in found[:1]] == [(pointed, rule)]


def test_unknown_field_is_named_beside_a_known_one() -> None:
    (found,) = faults(TRAINED + matrix("train.lora_r: [8]", "train.lora_rank: [9]"))
    assert (pointed_at(found), found.rule) == ("train.lora_rank", "matrix-field")
    assert found.help == "did you mean 'lora_r'?"


def test_combination_that_does_not_go_together() -> None:
    (found,) = faults(TRAINED + matrix("train.algorithm: [sft, lora_sft]", "train.use_loftq: [true, false]"))
    assert "use_loftq" in found.message
    assert found.rule == "invalid-value"


def test_fault_of_a_variant_names_it_and_points_at_its_value() -> None:
    assert faults(TRAINED + matrix("train.effective_batch_size: [8, 9]")) == []
    nodes = TRAINED.replace("cpus: 2", "nodes: 2")
    (found,) = faults(nodes + matrix("train.effective_batch_size: [8, 9]"))
    assert (pointed_at(found), found.rule) == ("9", "effective-batch-size")


def test_too_many_and_none() -> None:
    (found,) = faults(TRAINED + matrix("train.seed: [" + ", ".join(map(str, range(201))) + "]"))
    assert (found.rule, found.message) == ("matrix-size", "the matrix has 201 combinations")
    (found,) = faults(TRAINED + matrix("train.lora_r: [8]", exclude="[{train.lora_r: 8}]"))
    assert (found.rule, found.message) == ("matrix-size", "every combination is excluded")


def test_values_that_look_alike_keep_variants_of_their_own() -> None:
    found = plan(TRAINED + matrix("train.learning_rate: [0.0001, 0.00010000001]", "train.use_dora: [false]"))
    assert len(found.variants) == 2
    assert len([step for step in found.steps if step.kind == "train"]) == 2


def test_order_of_fields_and_excluded_values_do_not_change_names() -> None:
    one = plan(TRAINED + matrix("train.lora_r: [8, 16]", "train.num_epochs: [1, 2]"))
    two = plan(TRAINED + matrix("train.num_epochs: [1, 2]", "train.lora_r: [8, 16]"))
    less = plan(TRAINED + matrix("train.num_epochs: [1, 2]", "train.lora_r: [8, 16]", exclude="[{train.lora_r: 8}]"))
    assert one.variants == two.variants
    assert {step.key for step in one.steps} == {step.key for step in two.steps}
    assert set(less.variants) < set(one.variants)
    assert {step.key for step in less.steps} < {step.key for step in one.steps}


def test_swept_sections_leave_the_matrix_as_it_is() -> None:
    """What a variant's name adds to a section must not reach the matrix, from which the section comes."""
    places = "publish: [{location: published/a}, {location: published/b, title: B}]"
    found = plan(TRAINED + matrix(places))
    locations = [step.parameters["location"] for step in found.steps if step.kind == "publish"]
    assert sorted(path.rpartition("/")[0] for path in locations) == ["published/a", "published/b"]
    assert sorted(path.rpartition("/")[2] for path in locations) == sorted(found.variants)


def test_field_inside_of_a_swept_one() -> None:
    (found,) = faults(TRAINED + matrix("publish: [{location: published/a}]", "publish.title: [A, B]"))
    assert (pointed_at(found), found.rule) == ("publish.title", "matrix-field")


@pytest.mark.parametrize("values", ["['Be kind.', 'Be kind!', 'be kind']", "[a b, a-b, A_B]"])
def test_names_that_would_be_the_same(values: str) -> None:
    assert len(plan(TRAINED + matrix(f"publish.title: {values}") + "  publish: {location: published/x}\n").variants) == 3
