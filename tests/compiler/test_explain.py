"""`hubc explain`: every field of every model, sections, choices, rules, and what does not exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hubc.cli import main
from hubc.rules import RULES
from hubc.spec.explain import KINDS, field_page
from hubc.spec.fields import below, shape_of
from hubc.spec.words import FORMS

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden"
FIELDS = sorted({(kind, ".".join(path)) for kind, model in KINDS.items() for path, _ in below(model)})


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    "field",
    ["spec.train.lora_r", "spec.generate.teacher", "platform.spec.argo.storage", "leaf.seed_examples",
     "spec.evaluate.suites", "spec.train.phases", "platform.spec.limits.timeout_minutes", "learning-rate-high", "yaml-tag"],
)  # fmt: skip
def test_page(field: str, capsys: pytest.CaptureFixture[str], golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / f"explain.{field}.txt", run(capsys, field))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented(kind: str) -> None:
    assert len(FIELDS) > 100
    for field in (field for owner, field in FIELDS if owner == kind):
        page = field_page(f"{kind}.{field}")
        assert page.field == field
        assert page.meaning, field
        assert page.type not in ("", "a value"), field
        assert "another form" not in page.type, f"{field}: describe its pattern in hubc.spec.words"


def test_every_form_is_used() -> None:
    models = {owner[0] for model in KINDS.values() for _, owner in below(model)}
    used = {pattern for model in models for field in model.model_fields.values() for pattern in patterns(shape_of(field))}
    assert set(FORMS) - used == set()


def patterns(shape: Any) -> set[str]:
    found = {note.pattern for note in shape.constraints if getattr(note, "pattern", None)}
    inner = shape.arms if len(shape.arms) > 1 else [shape.element("[key]"), shape.element(0), shape.element("")]
    return found.union(*(patterns(part) for part in inner if part.type is not Any))


def test_every_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    for rule in RULES.values():
        assert rule.summary in run(capsys, rule.id)


def test_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys) == run(capsys, "pipeline")
    assert run(capsys, "spec.train") == run(capsys, "pipeline.spec.train")
    assert "namespace*" in run(capsys, "platform.spec.argo")


def test_paths_as_messages_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "spec.train.phases[0].num_epochs") == run(capsys, "spec.train.phases.num_epochs")
    assert run(capsys, "spec.data.datasets.mine.format") == run(capsys, "spec.data.datasets.format")


def test_fields_say_what_they_go_with(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {line.split()[0]: line for line in run(capsys, "spec.train").splitlines() if line.startswith("  ")}
    assert rows["use_loftq"].endswith("true or false (false); only with qlora_sft")
    assert "`osft`: orthogonal" in rows["algorithm"]
    phases = run(capsys, "spec.train.phases")
    assert (
        "  num_epochs                      Passes over the data: a whole number from 1 to 10000; left out, as in train"
        in phases
    )
    for metric in ("`nll`", "`f1`", "`accuracy`", "`score`", "`TASK.METRIC`"):
        assert metric in run(capsys, "spec.evaluate.suites")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    page = json.loads(run(capsys, "spec.train.num_epochs", "--format", "json"))
    assert page == {
        "kind": "pipeline", "field": "spec.train.num_epochs", "type": "a whole number from 1 to 10000", "required": False,
        "default": "3", "allowed": [], "unit": "epochs", "meaning": "Passes over the data.", "example": None,
        "only_with": [], "inherits": "", "fields": [],
    }  # fmt: skip
    assert [field["field"] for field in json.loads(run(capsys, "metadata", "--format", "json"))["fields"]] == [
        "metadata.name",
        "metadata.description",
    ]
    assert json.loads(run(capsys, "yaml-tag", "--format", "json"))["silenceable"] is False


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("spec.train.learnin_rate", "hubc: spec.train has no field 'learnin_rate'; did you mean 'learning_rate'?\n"),
        ("spec.train.lora_r.x", "hubc: spec.train.lora_r has no field 'x'; it has no fields\n"),
        ("metadat", "hubc: a pipeline has no field 'metadat'; did you mean 'metadata'?\n"),
        ("train.lora_r", "hubc: a pipeline has no field 'train'; did you mean 'spec.train.lora_r'?\n"),
        ("lora_r", "hubc: a pipeline has no field 'lora_r'; did you mean 'spec.train.lora_r'?\n"),
        ("learnin_rate", "hubc: a pipeline has no field 'learnin_rate'; did you mean 'spec.train.learning_rate'?\n"),
        ("lr", "hubc: a pipeline has no field 'lr'; did you mean 'spec.train.learning_rate'?\n"),
        ("teacher", "hubc: a pipeline has no field 'teacher'; did you mean 'spec.generate.teacher'?\n"),
        ("dpo", "hubc: a pipeline has no field 'dpo'; 'dpo' is a value of 'spec.train.algorithm'\n"),
        ("mmlu", "hubc: a pipeline has no field 'mmlu'; 'mmlu' is a value of 'spec.evaluate.suites.suite'\n"),
        ("unknwn-key", "hubc: there is no rule 'unknwn-key'; did you mean 'unknown-key'?\n"),
    ],
)
def test_unknown_field(field: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", field]) == 2
    assert capsys.readouterr().err == message
