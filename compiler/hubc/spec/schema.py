"""JSON Schemas of what people write and of what `hubc plan` writes, generated from the models, for editors and programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hub_steps.parameters import TrainParameters
from hub_steps.taxonomy import KnowledgeLeaf
from hubc.plan_views.record import PlanRecord
from hubc.spec.common import Spec
from hubc.spec.fields import meaning
from hubc.spec.generation import GenerationFile
from hubc.spec.pipeline import Phase, Pipeline
from hubc.spec.platform import Platform
from hubc.spec.schema_parts import with_parts
from hubc.spec.schema_rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

MODELS: dict[str, type[BaseModel]] = {
    "pipeline": Pipeline,
    "platform": Platform,
    "generation-pipeline": GenerationFile,
    "knowledge-leaf": KnowledgeLeaf,
}
OUTPUTS: dict[str, type[BaseModel]] = {"plan": PlanRecord}

_DEFAULTS_ELSEWHERE: dict[type[BaseModel], tuple[type[BaseModel], str]] = {
    Phase: (TrainParameters, "Left out, what `train` says."),
}
"""Models some of whose fields are another model's, where a field that is left out has another meaning."""


def schemas() -> dict[str, str]:
    """Return the text of every schema by its file name."""
    found = {name: schema_of(model) for name, model in MODELS.items()}
    for name, model in OUTPUTS.items():
        found[name] = model.model_json_schema(schema_generator=_Documented, mode="serialization")
    return {f"{name}.schema.json": _text(name, schema) for name, schema in found.items()}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of what people write as `model`."""
    schema = model.model_json_schema(schema_generator=_Written)
    return with_parts(schema) if issubclass(model, Spec) else schema


def write(folder: Path) -> list[Path]:
    """Write every schema into a folder, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def stale(folder: Path) -> list[Path]:
    """Return the files in a folder that are missing or differ from what `write` would write."""
    return [
        folder / name
        for name, text in schemas().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    ]


def _text(name: str, schema: dict[str, Any]) -> str:
    head = {"$schema": _Documented.schema_dialect, "$id": f"urn:hubc:v1:{name}"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


class _Documented(GenerateJsonSchema):
    """Describes every field with its docstring."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        model = schema["cls"]
        for name, field in described.get("properties", {}).items():
            advice = model.model_fields[name].deprecated
            said = [meaning(model, name), f"Deprecated: {advice}" if isinstance(advice, str) else ""]
            if text := " ".join(filter(None, said)):
                field["description"] = text
        return described

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


class _Written(_Documented):
    """Describes what a person may write: a key is left out rather than given an empty value."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        owner, note = _DEFAULTS_ELSEWHERE.get(schema["cls"], (BaseModel, ""))
        for name in owner.model_fields:
            described["properties"][name].pop("default", None)
            described["properties"][name]["description"] += f" {note}"
        return described

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> JsonSchemaValue:
        described = super().function_after_schema(schema)
        rules = RULES.get(validator_name(schema["function"]["function"]), [])
        return described | {"allOf": [*described.get("allOf", []), *rules]} if rules else described

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        described = super().tagged_union_schema(schema)
        tag = described.pop("discriminator")["propertyName"]
        return described | {"required": [tag]}

    def any_schema(self, schema: core_schema.AnySchema) -> JsonSchemaValue:
        return {"type": ["string", "number", "boolean", "array", "object"]}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if key != "default" or value is not None}

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, tuple):
            return [self.encode_default(item) for item in dft]
        return dft.model_dump(mode="json", exclude_none=True) if isinstance(dft, BaseModel) else super().encode_default(dft)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        described = super().dict_schema(schema)
        return described | {"additionalProperties": False} if "patternProperties" in described else described


def validator_name(function: Any) -> str:
    """Return what the table of rules calls a validator; pydantic's own are partial functions."""
    function = getattr(function, "func", function)
    return f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"
