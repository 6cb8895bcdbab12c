"""JSON Schemas of all that people write, generated from the models, for editors and other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from hub_steps.taxonomy import KnowledgeLeaf
from hubc.spec.fields import meaning
from hubc.spec.pipeline import Pipeline
from hubc.spec.platform import Platform

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import core_schema

MODELS: dict[str, type[BaseModel]] = {"pipeline": Pipeline, "platform": Platform, "knowledge-leaf": KnowledgeLeaf}

_RULES: dict[str, JsonSchemaValue] = {
    "Teacher": {"oneOf": [{"required": ["serve"]}, {"required": ["endpoint"]}]},
    "PlatformBody": {"oneOf": [{"required": ["local"]}, {"required": ["argo"]}]},
    "PipelineBody": {"dependentRequired": {"publish": ["train", "evaluate"]}},
}
"""What validators of these models check beyond single fields."""


def schemas() -> dict[str, str]:
    """Return the text of every schema by its file name."""
    return {f"{name}.schema.json": _text(name, model) for name, model in MODELS.items()}


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


def _text(name: str, model: type[BaseModel]) -> str:
    schema = model.model_json_schema(schema_generator=_Generator)
    for definition, rule in _RULES.items():
        if definition in schema["$defs"]:
            schema["$defs"][definition] |= rule
    head = {"$schema": _Generator.schema_dialect, "$id": f"urn:hubc:v1:{name}"}
    return json.dumps(head | schema, indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    """Describes what a person may write: a key is left out rather than given an empty value."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        for name, field in described.get("properties", {}).items():
            if text := meaning(schema["cls"], name):
                field["description"] = text
        return described

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        return {key: value for key, value in described.items() if key != "default" or value is not None}

    def encode_default(self, dft: Any) -> Any:
        return dft.model_dump(mode="json", exclude_none=True) if isinstance(dft, BaseModel) else super().encode_default(dft)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        described = super().dict_schema(schema)
        return described | {"additionalProperties": False} if "patternProperties" in described else described

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
