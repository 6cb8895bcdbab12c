"""Specs to plans: the steps, and what their cache keys depend on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub_steps.locations import ModelLocation
from hubc.errors import SpecError, UsageError
from hubc.workspace import LOCAL, load_plan, load_platform, validate_paths

if TYPE_CHECKING:
    from hubc.plan import Plan

SPEC = Path("specs/pipelines/quickstart.yaml")
LEAF = Path("specs/taxonomy/knowledge/software/hubc/specs/qna.yaml")
STEPS = {"generate", "evaluate-base", "train", "evaluate-tuned", "publish"}

pytestmark = pytest.mark.usefixtures("repo")


def plan(platform: str = "local") -> Plan:
    return load_plan(SPEC, load_platform(platform, Path.cwd()))


def edit(old: str, new: str, path: Path = SPEC) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def changed(before: Plan, after: Plan) -> set[str]:
    """Return the steps whose cache key is another one."""
    assert [step.id for step in before.steps] == [step.id for step in after.steps]
    return {step.id for step in before.steps if step.key != after.step(step.id).key}


def test_steps_of_the_quickstart() -> None:
    found = plan()
    assert [(step.id, step.kind, step.needs) for step in found.steps] == [
        ("generate", "generate", ()),
        ("evaluate-base", "evaluate", ()),
        ("train", "train", ("generate",)),
        ("evaluate-tuned", "evaluate", ("train", "evaluate-base")),
        ("publish", "publish", ("generate", "train", "evaluate-tuned")),
    ]
    assert (found.pipeline, found.platform) == ("quickstart", "local")
    assert found.step("train").resources.nodes == 2
    assert found.step("train").parameters["learning_rate"] == 5e-4
    assert all(len(key) == 64 for key in [found.digest, *(step.key for step in found.steps)])


def test_every_default_is_filled_in() -> None:
    found = plan()
    assert found.step("train").parameters["lora_r"] == 16
    assert found.step("generate").parameters["filters"]["min_grounding"] == 0.75
    assert found.step("generate").resources.timeout_minutes == 240
    assert plan("example-cluster").step("generate").resources.memory_gib == 16


def test_pipeline_that_ends_with_the_data() -> None:
    SPEC.write_text(SPEC.read_text().split("  train:\n")[0])
    assert [step.id for step in plan().steps] == ["generate"]


def test_pipeline_that_measures_the_base_model_only() -> None:
    SPEC.write_text(SPEC.read_text().split("  train:\n")[0] + "  evaluate: {}\n")
    assert [step.id for step in plan().steps] == ["generate", "evaluate-base"]


def test_secret_is_a_reference_and_images_come_from_the_platform() -> None:
    text = SPEC.read_text()
    serve = text[text.index("      serve:\n") : text.index("    samples_per_seed")]
    edit(serve, "      endpoint: {url: https://t.example.com/v1, model: m, api_key: {secret: teacher, key: token}}\n")
    found = plan("example-cluster")
    assert [(secret.secret, secret.key) for secret in found.step("generate").secrets] == [("teacher", "token")]
    assert {step.id for step in found.steps if step.secrets} == {"generate"}
    assert {step.id: step.image.split("@")[0] for step in found.steps if step.image} == {
        step.id: f"registry.example.com/hubc/{step.kind}" for step in found.steps
    }
    assert all(step.image is None for step in plan().steps)


def test_notation_does_not_change_the_plan() -> None:
    before = plan()
    head, rest = SPEC.read_text().split("  train:\n")
    train, rest = rest.split("  evaluate:\n")
    evaluate, publish = rest.split("  publish:\n")
    SPEC.write_text(f"# A comment.\n{head}  publish:\n{publish}\n  evaluate:\n{evaluate}  train:\n{train}")
    edit("learning_rate: 0.0005", "learning_rate: 5e-4")
    edit("num_epochs: 3", "num_epochs: +3   # three")
    edit("algorithm: lora_sft", 'algorithm: "lora_sft"')
    after = plan()
    assert changed(before, after) == set()
    assert after.digest == before.digest


def test_place_of_the_checkout_does_not_change_the_plan(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan()
    shutil.copytree(repo, repo.parent / "else" / "where")
    monkeypatch.chdir(repo.parent / "else" / "where" / "specs")
    after = load_plan(Path("pipelines/quickstart.yaml"), LOCAL)
    assert after.digest == before.digest


def test_cache_keys_are_the_same_on_every_platform() -> None:
    local, cluster = plan(), plan("example-cluster")
    assert changed(local, cluster) == set()
    assert local.digest != cluster.digest


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("max_new_tokens: 48", "max_new_tokens: 49", {"evaluate-base", "evaluate-tuned", "publish"}),
        ("num_epochs: 3", "num_epochs: 4", {"train", "evaluate-tuned", "publish"}),
        ("samples_per_seed: 10", "samples_per_seed: 11", {"generate", "train", "evaluate-tuned", "publish"}),
        ("title: SmolLM2", "title: SmolLM", {"publish"}),
        ("      nodes: 2", "      nodes: 1", set()),
        ("      nodes: 2", "      memory_gib: 3", set()),
        ("description: Teach", "description: Learn", {"publish"}),
        ("    num_epochs: 3", "    num_epochs: 3\n    lora_r: 16", set()),
        ("    num_epochs: 3", "    num_epochs: 3\n    checkpoint_at_epoch: true", {"train", "evaluate-tuned", "publish"}),
        ("    max_tokens: 80", "    max_tokens: 80\n    request_timeout_seconds: 5.0", set()),
    ],
)
def test_change_reaches_the_steps_that_depend_on_it(old: str, new: str, steps: set[str]) -> None:
    before = plan()
    edit(old, new)
    assert changed(before, plan()) == steps


def test_model_behind_a_link_is_known_by_what_the_link_leads_to(repo: Path) -> None:
    model = repo / "snapshots" / "model"
    model.mkdir(parents=True)
    (repo / "weights").write_text("1")
    (model / "weights").symlink_to(repo / "weights")
    edit(str(plan().step("train").inputs["model"].uri), f"file://{model}")
    (repo / "teacher.gguf").write_text("1")
    edit(f"serve:\n        location: file://{model}", f"serve:\n        location: file://{repo}/teacher.gguf")
    before = plan()
    (repo / "weights").write_text("22")
    assert "train" in changed(before, plan())


def test_spec_for_a_cluster_is_good_though_this_machine_cannot_run_it() -> None:
    edit("      nodes: 2", "      nodes: 2\n      accelerators: 2\n      accelerator: h100")
    assert validate_paths([SPEC]) == (1, ())
    assert plan("example-cluster").step("train").resources.accelerators == 2
    assert plan("local").step("train").resources.is_emulated


def test_file_of_the_local_platform_counts() -> None:
    path = Path("specs/platforms/local.yaml")
    edit("    nodes: 8", "    nodes: 1", path)
    with pytest.raises(SpecError):
        plan()
    path.unlink()
    assert plan().step("train").resources.nodes == 2


def test_base_model_reaches_training_and_evaluation() -> None:
    before = plan()
    text = SPEC.read_text()
    uri = str(before.step("train").inputs["model"].uri)
    SPEC.write_text(text.replace(uri, "hf://example/model@12fd25f77366fa6b3b4b768ec3050bf629380bac", 1))
    assert changed(before, plan()) == STEPS - {"generate"}


def test_folder_as_base_model_is_known_by_its_files(repo: Path) -> None:
    model = repo / "model"
    model.mkdir()
    (model / "weights").write_text("1")
    edit(str(plan().step("train").inputs["model"].uri), f"file://{model}")
    (repo / "teacher.gguf").write_text("1")
    edit(f"serve:\n        location: file://{model}", f"serve:\n        location: file://{repo}/teacher.gguf")
    before = plan()
    assert changed(before, plan()) == set()
    (model / "weights").write_text("22")
    assert changed(before, plan()) == STEPS - {"generate"}


def test_leaf_reaches_every_step_but_its_notation_none() -> None:
    before = plan()
    edit("version: 3\n", "# A comment.\nversion:   3\n", LEAF)
    edit("created_by: hubc-maintainers", "created_by: 'hubc-maintainers'", LEAF)
    assert changed(before, plan()) == set()
    edit("question: What is hubc?", "question: What, then, is hubc?", LEAF)
    assert changed(before, plan()) == STEPS


def test_leaf_that_is_added_or_moved_counts() -> None:
    before = plan()
    LEAF.parent.rename(LEAF.parent.with_name("elsewhere"))
    moved = plan()
    assert changed(before, moved) == STEPS
    shutil.rmtree(LEAF.parents[1] / "elsewhere")
    assert changed(moved, plan()) == STEPS


@pytest.mark.parametrize(
    ("old", "new", "value", "rule"),
    [
        ("nodes: 2", "{nodes: 2, timeout_minutes: 9999}", "9999}", "platform-limit"),
        ("nodes: 2", "{nodes: 2, accelerators: 2, accelerator: b200}", "b200}", "unknown-accelerator"),
        ("location: published/quickstart", "location: file:///srv/models", "file:///srv/models", "local-path"),
        ("effective_batch_size: 4", "effective_batch_size: 5", "5", "effective-batch-size"),
    ],
)
def test_what_the_platform_cannot_do(old: str, new: str, value: str, rule: str) -> None:
    edit(old, new)
    with pytest.raises(SpecError) as caught:
        plan("example-cluster")
    (found,) = caught.value.diagnostics
    assert found.rule == rule
    assert SPEC.read_text().splitlines()[found.line - 1][found.column - 1 :] == value


def test_only_accelerator_of_a_platform_need_not_be_named() -> None:
    edit("      nodes: 2", "      nodes: 2\n      accelerators: 2")
    train = plan("example-cluster").step("train")
    assert (train.resources.accelerator, train.resources.processes_per_node) == ("h100", 2)


def test_wrong_kind_of_file_and_unknown_platform() -> None:
    with pytest.raises(UsageError, match="is a Platform; give the file of a Pipeline"):
        load_plan(Path("specs/platforms/local.yaml"), LOCAL)
    with pytest.raises(UsageError, match="is a GenerationPipeline; give the file of a Pipeline"):
        load_plan(Path("specs/generation/two-questions.yaml"), LOCAL)
    with pytest.raises(UsageError, match="is a Pipeline; give the name or file of a Platform"):
        load_platform("specs/pipelines/quickstart.yaml", Path.cwd())
    with pytest.raises(UsageError, match="known: example-cluster, kind"):
        load_platform("nowhere", Path.cwd())


def test_partial_spec_is_checked_but_not_planned() -> None:
    base = Path("specs/bases/team.yaml")
    assert validate_paths([base]) == (1, ())
    with pytest.raises(UsageError, match=r"is only there to be extended \('partial: true'\); give a spec that extends it"):
        load_plan(base, LOCAL)
    edit("samples_per_seed: 30", 'samples_per_sed: 30\n    max_tokens: "many"', base)
    with pytest.raises(SpecError) as caught:
        load_plan(base, LOCAL)
    assert [found.rule for found in caught.value.diagnostics] == ["unknown-key", "wrong-type"]


def test_partial_spec_may_leave_to_others_what_its_keys_need() -> None:
    path = Path("specs/bases/new.yaml")
    head = "apiVersion: hubc/v1\nkind: Pipeline\npartial: true\n"
    path.write_text(head + "spec: {train: {keep: best}, publish: {title: T}, taxonomy: {}, matrix: {fields: {}}}\n")
    assert validate_paths([path]) == (1, ())
    path.write_text(head + "spec: {evaluate: {gates: [{metric: held_out.f1}], suites: []}, train: {phases: [{}]}}\n")
    with pytest.raises(SpecError) as caught:
        validate_paths([path])
    assert len(caught.value.diagnostics) == 3, "lists are replaced whole, so what they hold is complete"


def test_platform_that_extends_another() -> None:
    platform = load_platform("workstation", Path.cwd())
    assert (platform.spec.limits.nodes, platform.spec.limits.timeout_minutes) == (8, 120)
    assert platform.spec.local is not None
    assert platform.spec.local.parallel_steps == 1


def test_request_names_inputs_and_outputs_below_the_storage_root() -> None:
    found = plan()
    train, generate = found.step("train"), found.step("generate")
    request = found.request(train, "run-1", "file:///data", "file:///published", None)
    assert request.output == f"file:///data/quickstart/train/{train.key}"
    assert request.inputs["data"].uri == f"file:///data/quickstart/generate/{generate.key}/train.jsonl"
    assert ModelLocation.parse(str(request.inputs["model"].uri)).scheme == "pypi"
    assert (request.identity.run, request.identity.plan_digest) == ("run-1", found.digest)
