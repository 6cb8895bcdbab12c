"""The JSON Schemas: in step with the models, neither stricter nor laxer, and good enough for an editor alone."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mutations import mutated_data
from pydantic import AfterValidator, BaseModel, Field

from hub_steps.taxonomy import KnowledgeLeaf
from hubc.errors import SpecError
from hubc.extends import load
from hubc.source import Source, parse_text
from hubc.spec.document import KINDS, read_spec, validate
from hubc.spec.fields import below, shape_of
from hubc.spec.schema import MODELS, schema_of, schemas, stale, validator_name, write
from hubc.spec.schema_rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.yaml"))
FILES = [*SPECS, *sorted((ROOT / "tests" / "data").rglob("*.yaml"))]
NAMES = {"Platform": "platform", "GenerationPipeline": "generation-pipeline"}

BEYOND_A_SCHEMA = {
    "generate.Filters._ordered": "no number of a schema is compared with another",
    "generation.GenerationPipeline._names_are_known": "a prompt's placeholders are the names of other stages",
    "pipeline.Phase._backend_fits": "it asks nothing: a phase is judged together with `train`, when the plan is made",
}
"""What validators ask that a schema cannot say, and why.

There is more: 3.0 is a whole number for JSON Schema, and a number with a point for the models; and values in a matrix may
be lists and mappings of anything, where only the models find one that is empty.
"""
BEYOND = {"words-out-of-order.yaml"}
"""Files that break only what a schema cannot say."""


@cache
def validator(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema_of(MODELS[kind]))


def kind_of(path: Path, data: dict[str, Any]) -> str:
    if path.name == "qna.yaml" or path.stem.startswith("leaf-") or path.stem.endswith("-leaf"):
        return "knowledge-leaf"
    return NAMES.get(str(data.get("kind")), "pipeline")


def model_accepts(source: Source, kind: str, file: str) -> bool:
    """Tell whether the models find nothing wrong in a file, whatever it extends."""
    try:
        if kind == "knowledge-leaf":
            validate(source, KnowledgeLeaf, [])
        else:
            read_spec(source)
    except SpecError as error:
        return all(found.file != file for found in error.diagnostics)
    return True


def test_committed_schemas_are_not_stale() -> None:
    assert stale(ROOT / "schemas") == [], "run 'hubc schema'"


def test_write_and_stale(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "schemas"
    assert len(stale(folder)) == len(schemas())
    written = write(folder)
    assert sorted(path.name for path in written) == sorted(schemas())
    assert stale(folder) == []
    written[1].write_text(written[1].read_text() + " ")
    assert stale(folder) == [written[1]]


@pytest.mark.parametrize("name", sorted(schemas()))
def test_schema_itself(name: str) -> None:
    schema = json.loads(schemas()[name])
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:hubc:v1:{name.removesuffix('.schema.json')}"
    for part in [schema, *schema["$defs"].values()]:
        assert part["additionalProperties"] is False
        assert part["title"]
        assert part["description"]
        for field in part["properties"].values():
            assert "description" in field or "$ref" in field
            if "default" in field:
                assert Draft202012Validator(field | {"$defs": schema["$defs"]}).is_valid(field["default"])


def test_fields_say_what_the_models_say() -> None:
    definitions = schema_of(MODELS["pipeline"])["$defs"]
    train = definitions["Train"]["properties"]
    assert train["learning_rate"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 10,
        "default": 2e-4,
        "description": "Peak learning rate.",
    }
    assert train["target_modules"]["type"] == "array"
    assert train["target_modules"]["examples"] == [["q_proj", "v_proj"]]
    assert train["lr_scheduler"]["enum"] == ["constant", "cosine", "linear"]
    assert definitions["PipelineBody"]["required"] == ["model"]


def test_phase_does_not_show_the_defaults_of_train() -> None:
    phase = schema_of(MODELS["pipeline"])["$defs"]["Phase"]["properties"]
    assert [name for name, field in phase.items() if "default" in field] == []
    assert phase["learning_rate"]["description"] == "Peak learning rate. Left out, what `train` says."


def test_choice_by_a_key_is_one_of_several_constants() -> None:
    schema = schema_of(MODELS["pipeline"])
    items = schema["$defs"]["Evaluate"]["properties"]["suites"]["items"]
    arms = [schema["$defs"][arm["$ref"].removeprefix("#/$defs/")] for arm in items["oneOf"]]
    assert [arm["properties"]["suite"]["const"] for arm in arms][:3] == ["held_out", "lm_eval", "mmlu"]
    assert items["required"] == ["suite"]


class Engine(BaseModel):
    """A model of a language that has changed."""

    power: Annotated[int, Field(deprecated="use 'power_watts'")] = 1
    colour: Annotated[str, Field(deprecated=True)] = "red"
    fuel: Literal["oil", "coal"] = "oil"


def test_deprecated_fields_are_marked() -> None:
    fields = schema_of(Engine)["properties"]
    assert fields["power"]["deprecated"] is True
    assert fields["power"]["description"] == "Deprecated: use 'power_watts'"
    assert fields["colour"]["deprecated"] is True
    assert "deprecated" not in fields["fuel"]


def test_every_validator_is_said_in_the_schema_or_cannot_be() -> None:
    models = {owner[0] for model in MODELS.values() for _, owner in below(model)}
    names = {name for model in models for name in validators(model) if name.split(".")[0] != "functools"}
    assert sorted(names) == sorted({*RULES, *BEYOND_A_SCHEMA})


def validators(model: type[BaseModel]) -> Iterator[str]:
    """Yield the names of all functions that check values of a model and its fields."""
    decorators = model.__pydantic_decorators__
    for group in (decorators.model_validators, decorators.field_validators):
        yield from (validator_name(found.func) for found in group.values())
    for field in model.model_fields.values():
        yield from in_type(field)


def in_type(annotation: Any) -> Iterator[str]:
    shape = shape_of(annotation)
    yield from (validator_name(note.func) for note in shape.constraints if isinstance(note, AfterValidator))
    for part in get_args(shape.type):
        if part is not Ellipsis and not isinstance(part, str | int):
            yield from in_type(part)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(ROOT / "specs")))
def test_every_spec_satisfies_its_schema(path: Path) -> None:
    data = parse_text(path.read_text(encoding="utf-8"), path.name).data
    kind = kind_of(path, data)
    assert [error.message for error in validator(kind).iter_errors(data)] == []
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    named = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == ROOT / "schemas" / f"{kind}.schema.json"


def test_schema_is_neither_stricter_nor_laxer_on_files(repo: Path) -> None:
    number = 0
    for path in FILES:
        try:
            text = path.read_text(encoding="utf-8")
            source = parse_text(text, path.name)
        except SpecError:
            assert path.stem.startswith("yaml-") or path.parent.name.startswith("yaml-")
            continue
        kind = kind_of(path, source.data)
        accepted = validator(kind).is_valid(source.data)
        if "extends" in source.data:
            source = extended(path, repo)
        if source is not None:
            assert accepted == (model_accepts(source, kind, path.name) or path.name in BEYOND), path
            number += 1
    assert number > 200


def extended(path: Path, repo: Path) -> Source | None:
    """Return a file with what it extends; None if it extends what it must not."""
    folder = repo / "wrong" if path.is_relative_to(ROOT / "tests") else repo
    folder.mkdir(exist_ok=True)
    for other in path.parent.glob("*.yaml"):
        (folder / other.name).write_bytes(other.read_bytes())
    try:
        return load(folder / path.name, repo, name=path.name)
    except SpecError:
        assert path.parent.name in ("extends-cycle", "extends-kind")
        return None


WHOLE = [
    source for path in SPECS if "extends" not in (source := parse_text(path.read_text(encoding="utf-8"), path.name)).data
]


@st.composite
def mutated(draw: Any) -> tuple[Source, dict[str, Any]]:
    source = draw(st.sampled_from(WHOLE))
    return source, draw(mutated_data(source.data))


@given(case=mutated())
@settings(max_examples=300, database=None, suppress_health_check=list(HealthCheck))
def test_schema_is_neither_stricter_nor_laxer_on_mutations(case: tuple[Source, dict[str, Any]]) -> None:
    original, data = case
    file = Path(original.text.file)
    kind = kind_of(file, original.data)
    if "extends" in data or (kind != "knowledge-leaf" and str(data.get("kind")) not in KINDS):
        return
    source = Source(original.text, data, original.root)
    kind = kind_of(file, data)
    accepted = validator(kind).is_valid(data)
    if accepted != model_accepts(source, kind, file.name):
        assert accepted, [error.message for error in validator(kind).iter_errors(data)]
        assert is_beyond(data), data


def is_beyond(data: Any) -> bool:
    """Tell whether data may break what a schema cannot say."""
    if isinstance(data, dict | list):
        keys = set(data) if isinstance(data, dict) else set()
        return bool(keys & {"filters", "stages", "matrix"}) or any(map(is_beyond, data.values() if keys else data))
    return isinstance(data, float) and data.is_integer()
