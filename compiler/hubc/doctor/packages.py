"""Which packages the steps of a plan import, and the extra that installs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubc.plan import External

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.plan import Plan, Step

MODELS = ("filelock", "gguf", "huggingface_hub", "safetensors", "torch", "transformers")
PACKAGES = {
    "generate": (*MODELS, "openai", "rapidfuzz", "xllamacpp"),
    "train": (*MODELS, "accelerate", "matplotlib", "peft", "trl"),
    "evaluate": (*MODELS, "openai", "peft", "rapidfuzz", "xllamacpp"),
    "data": ("filelock", "huggingface_hub", "pyarrow"),
    "s3": ("fsspec", "s3fs"),
    "harness": ("lm_eval",),
    "wandb": ("wandb",),
    "quantization": ("bitsandbytes",),
    "deepspeed": ("deepspeed",),
}
"""Extra -> names that its packages are imported by."""
EXTRAS = {"generate": "generate", "train": "train", "evaluate": "evaluate"}
"""Kind of step -> extra; the other kinds need none by themselves."""
HARNESS = frozenset({"lm_eval", "mmlu"})


def needed(plan: Plan) -> dict[str, tuple[tuple[str, ...], str]]:
    """Return extra -> packages and the first step that needs them."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for step in plan.steps:
        for extra in _extras(step):
            found.setdefault(extra, (PACKAGES[extra], step.id))
    return found


def _extras(step: Step) -> Iterator[str]:
    parameters: dict[str, Any] = step.parameters
    if step.kind in EXTRAS:
        yield EXTRAS[step.kind]
    uris = [value.uri or "" for value in step.inputs.values() if isinstance(value, External)]
    if any(uri.startswith("s3://") for uri in uris):
        yield "s3"
    if any(uri.endswith(".parquet") for uri in uris):
        yield "data"
    if (parameters.get("suite") or {}).get("suite") in HARNESS:
        yield "harness"
    if (parameters.get("tracking") or {}).get("wandb"):
        yield "wandb"
    if parameters.get("algorithm") == "qlora_sft":
        yield "quantization"
    if (parameters.get("parallelism") or {}).get("strategy") == "deepspeed":
        yield "deepspeed"
