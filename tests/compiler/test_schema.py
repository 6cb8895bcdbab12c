"""The JSON Schemas: in step with the models, and good enough for an editor alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hubc.errors import SpecError
from hubc.source import parse, parse_text
from hubc.spec.schema import schemas, stale, write

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.yaml"))
INVALID = ROOT / "tests" / "data" / "invalid"

BEYOND_A_SCHEMA = {
    "above-limits",
    "batch-not-divisible",
    "control-character",
    "leaf-duplicates",
    "model-bad-digest",
    "model-digest-on-hf",
    "model-dots-in-path",
    "model-no-file-in-distribution",
    "model-plain-path",
    "model-relative-file",
    "model-unknown-form",
    "model-branch-hf",
    "model-unpinned-hf",
    "model-unpinned-pypi",
    "no-accelerator",
    "publish-absolute",
    "publish-file-dots",
    "publish-parent",
    "publish-relative-file",
    "publish-root",
    "publish-s3",
    "taxonomy-absolute",
    "taxonomy-empty",
    "taxonomy-outside",
    "teacher-not-gguf",
    "teacher-unpinned",
    "words-out-of-order",
}


def faults(data: Any, kind: str) -> list[str]:
    schema = json.loads(schemas()[f"{kind}.schema.json"])
    return [error.message for error in Draft202012Validator(schema).iter_errors(data)]


def kind_of(path: Path, data: dict[str, Any]) -> str:
    if path.name == "qna.yaml" or path.stem.startswith("leaf-"):
        return "knowledge-leaf"
    return "platform" if data.get("kind") == "Platform" else "pipeline"


def test_committed_schemas_are_not_stale() -> None:
    assert stale(ROOT / "schemas") == [], "run 'hubc schema'"


def test_write_and_stale(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "schemas"
    assert len(stale(folder)) == 3
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
                validator = Draft202012Validator(field | {"$defs": schema["$defs"]})
                assert list(validator.iter_errors(field["default"])) == []


def test_fields_say_what_the_models_say() -> None:
    definitions = json.loads(schemas()["pipeline.schema.json"])["$defs"]
    assert definitions["Train"]["properties"]["learning_rate"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 2e-4,
        "description": "Peak learning rate.",
    }
    assert definitions["Train"]["properties"]["target_modules"]["type"] == "array"
    assert definitions["PipelineBody"]["required"] == ["model", "taxonomy", "generate"]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(ROOT / "specs")))
def test_every_spec_satisfies_its_schema(path: Path) -> None:
    data = parse(path).data
    assert faults(data, kind_of(path, data)) == []


@pytest.mark.parametrize("path", sorted(INVALID.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_is_wrong_in_its_shape_fails_the_schema(path: Path) -> None:
    try:
        data = parse_text(path.read_text(encoding="utf-8"), path.name).data
    except SpecError:
        assert path.stem.startswith("yaml-")
        return
    assert bool(faults(data, kind_of(path, data))) == (path.stem not in BEYOND_A_SCHEMA)
