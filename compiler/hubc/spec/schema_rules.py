"""What validators of the models check, said in JSON Schema: by the validator's module and name."""

from __future__ import annotations

from typing import Any, TypeAlias

from hub_steps.locations import REMOTE_FILES
from hub_steps.parameters.publish import OBJECT_STORES
from hub_steps.parameters.train import BACKENDS, TrainParameters
from hubc.spec.pipeline import NEEDS, WORK

Schema: TypeAlias = dict[str, Any]

_NO_DOTS = r"(?!(?:.*/)?\.\.(?:/|$))"
_NOT_PRIVATE = r"(?!(?:.*/)?\.(?:[gG][iI][tT]|[hH][uU][bB][cC])(?:/|$))"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9._]*[A-Za-z0-9])?"
_COMMIT = "[0-9a-f]{40}"
_FILE = rf"^file:///{_NO_DOTS}"
_PYPI = rf"^pypi://{_NAME}@[A-Za-z0-9][-A-Za-z0-9._+!]*/{_NO_DOTS}[^#?]+"


def _has(*keys: str) -> Schema:
    return {"required": list(keys)}


def _is(key: str, value: Any) -> Schema:
    """Return that a key is written and has a value."""
    return {"required": [key], "properties": {key: {"const": value}}}


def _may(key: str, *values: Any) -> Schema:
    """Return that a key has one of some values, if it is written."""
    return {"properties": {key: {"enum": list(values)}}}


def _when(condition: Schema, demand: Schema) -> Schema:
    return {"if": condition, "then": demand}


def _one_of(*keys: str) -> list[Schema]:
    return [{"oneOf": [_has(key) for key in keys]}]


def _any_of(*keys: str) -> list[Schema]:
    return [{"anyOf": [_has(key) for key in keys]}]


def _patterns(*patterns: str) -> list[Schema]:
    """Return that text has one of several forms."""
    forms = [{"pattern": pattern} for pattern in patterns]
    return [{"anyOf": forms}] if len(forms) > 1 else forms


def _training() -> list[Schema]:
    default = TrainParameters.model_fields["algorithm"].default
    validates = {"required": ["validation_split"], "properties": {"validation_split": {"exclusiveMinimum": 0}}}
    unsharded = {"properties": {"parallelism": _may("strategy", "ddp")}}
    deepspeed = _is("strategy", "deepspeed")
    spread = [
        _when(_is("offload_optimizer", True), deepspeed),
        _when(_is("offload_parameters", True),
              {"anyOf": [_is("strategy", "fsdp"), {"allOf": [deepspeed, _is("zero_stage", 3)]}]}),
    ]  # fmt: skip
    return [
        *(_when(_is("algorithm", name), _may("backend", *backends)) for name, backends in BACKENDS.items()),
        {"anyOf": [_has("algorithm"), _may("backend", *BACKENDS[default])]},
        _when(_is("algorithm", "custom"), _has("custom")),
        _when(_has("custom"), _is("algorithm", "custom")),
        _when(_is("keep", "best"), validates),
        _when(_has("validation_frequency"), validates),
        {"not": _has("save_steps", "save_samples")},
        _when(_is("use_loftq", True), _is("algorithm", "qlora_sft")),
        _when(_is("unmask_messages", True), _may("is_pretraining", False)),
        *(_when(_is("algorithm", "dpo"), _may(key, False)) for key in ("unmask_messages", "packing", "is_pretraining")),
        *(_when(_is("algorithm", name), unsharded) for name in ("osft", "qlora_sft")),
        _when(_is("algorithm", "osft"), {"properties": {"unfreeze_rank_ratio": {"exclusiveMinimum": 0}}}),
        {"properties": {"parallelism": {"allOf": spread}}},
    ]


RULES: dict[str, list[Schema]] = {
    "declared._inside": _patterns(rf"^(?!/){_NO_DOTS}{_NOT_PRIVATE}[^\\]*$"),
    "locations._check": _patterns(
        rf"^hf://{_NAME}/{_NAME}@{_COMMIT}(?:/{_NO_DOTS}[^#?]+)?$",
        _PYPI + "(?:#sha256=[0-9a-f]{64})?$",
        _FILE + "[^#?]*$",
    ),
    "locations._check_data": _patterns(
        rf"^(?!/){_NO_DOTS}{_NOT_PRIVATE}[^\\:]+$",
        rf"^hf://datasets/{_NAME}/{_NAME}@{_COMMIT}/{_NO_DOTS}.+$",
        rf"^(?:{'|'.join(REMOTE_FILES)})://[^/?#@]+/+(?!/){_NO_DOTS}[^?#]+$",
        _PYPI + "(?:#sha256=[0-9a-f]{64})?$",
        _FILE + "[^#?]*$",
    ),
    "teacher.ServedModel._is_gguf": _patterns(r"^[^#]*\.[gG][gG][uU][fF](?:#|$)"),
    "teacher.Teacher._exactly_one": _one_of("serve", "endpoint"),
    "data.GitTaxonomy._one_name": [{"not": _has("ref", "pull_request")}],
    "data.MixParameters._named": [{"propertyNames": {"not": {"const": "generated"}}}],
    "train.TrainParameters._backend_fits": _training(),
    "evaluate.Gate._asks_something": _any_of("min", "max", "min_improvement"),
    "publish.PublishParameters._is_folder": _patterns(
        rf"^(?!/){_NO_DOTS}(?![./]*$)(?!.*://)",
        rf"^file:///{_NO_DOTS}(?!(?:\.?/)*\.?$)",
        rf"^(?:{'|'.join(OBJECT_STORES)})://{_NO_DOTS}(?!(?:\.?/)*\.?$)",
    ),
    "publish.PublishParameters._has_target": _any_of("location", "huggingface"),
    "generation.Stage._is_template": _patterns(r"^(?:[^$]|\$\$|\$[_a-zA-Z]|\$\{[_a-zA-Z][_a-zA-Z0-9]*\})*$"),
    "pipeline.Taxonomy._exactly_one": _one_of("path", "git"),
    "pipeline.PipelineBody._needs": [
        *(_when(_has(section), _any_of(*needs)[0]) for section, needs, _ in NEEDS),
        *_any_of(*WORK),
    ],
    "cluster.Storage._exactly_one": [
        *_one_of("claim", "location"),
        *(_when(_has(key), _has("location")) for key in ("endpoint", "region", "credentials")),
    ],
    "cluster.Launcher._has_runtime": [
        _when(_is("kind", "trainjob"), _has("runtime")),
        _when(_has("runtime"), _is("kind", "trainjob")),
    ],
    "cluster.Serving._has_image": [_when(_is("engine", "vllm"), _has("image"))],
    "platform.PlatformBody._exactly_one": _one_of("local", "argo"),
    "sweep.Notification._each_once": [{"properties": {"events": {"uniqueItems": True}}}],
}  # fmt: skip
"""The conditions that each validator sets."""
