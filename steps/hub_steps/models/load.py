"""Models as Transformers loads them; GGUF weights are converted once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub_steps.contract import DEVICE, Input, StepError, message
from hub_steps.locations import ModelLocation
from hub_steps.models.cache import cached, default_cache
from hub_steps.models.fetch import fetch

if TYPE_CHECKING:
    from hub_steps.contract import Request


_CONVERTER = 1
"""Part of the name of converted models in the cache: raised when `_convert` makes something else of the same weights."""


def cache_folder(request: Request) -> Path:
    """Return where a request keeps fetched and converted models."""
    return Path(request.model_cache) if request.model_cache else default_cache()


def model_folder(model: Input, cache: Path) -> Path:
    """Return a folder with safetensors, tokenizer and chat template for a model input.

    Raises StepError if the location holds no such model and nothing that can be converted to one.
    """
    location = ModelLocation.parse(model.uri or "")
    found = fetch(location, cache)
    if found.suffix.lower() == ".gguf":
        return cached(cache, f"{location} as transformers, {_CONVERTER} ({model.key})", lambda draft: _convert(found, draft))
    if not (found / "config.json").is_file():
        raise StepError(f"{location} holds no 'config.json': it is not a Transformers model")
    return found


def load_tokenizer(folder: Path, *, needs_template: bool = True, trust_remote_code: bool = False) -> Any:
    """Return the tokenizer of a model folder, padding on the left, as generation needs it.

    Raises StepError if it cannot be loaded, or has no chat template where one is needed.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **_safe(trust_remote_code))
    except (OSError, ValueError) as error:
        raise _not_loaded("tokenizer", folder, error) from None
    if needs_template and not tokenizer.chat_template:
        raise StepError(f"the tokenizer in {folder} has no chat template; use an instruction-tuned base model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(folder: Path, *, dtype: str | None = None, trust_remote_code: bool = False, **options: Any) -> Any:
    """Return the causal language model of a folder; without `dtype`, in float32 on the CPU, bfloat16 on an accelerator.

    `options` go to Transformers' `from_pretrained`. Raises StepError if it cannot be loaded.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    where = {"dtype": dtype or ("bfloat16" if on_accelerator() else "float32"), **_safe(trust_remote_code), **options}
    try:
        return AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, **where)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise _not_loaded("model", folder, error) from None


def on_accelerator() -> bool:
    """Tell whether this step computes on an accelerator: only if there is one, and the plan gave it to the step."""
    import torch

    return os.environ.get(DEVICE) != "cpu" and torch.accelerator.is_available()


def _safe(trust_remote_code: bool = False) -> dict[str, bool]:
    """A model's folder is data: code in it runs only if it may, and Transformers does not ask."""
    return {"local_files_only": True, "trust_remote_code": trust_remote_code}


def _not_loaded(what: str, folder: Path, error: Exception) -> StepError:
    return StepError(f"cannot load the {what} in {folder}: {' '.join(str(error).split())}")


def _convert(gguf: Path, draft: Path) -> None:
    """Write GGUF weights as a Transformers folder in bfloat16.

    Transformers loads GGUF but refuses to save what it loaded, so the weights move to a fresh model of the same config.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    message(f"converting {gguf.name} to safetensors")
    where = {"gguf_file": gguf.name, **_safe()}
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **where)
    config = loaded.config
    del config.quantization_config
    fresh = type(loaded)(config)
    fresh.load_state_dict(loaded.state_dict())
    fresh.bfloat16().save_pretrained(draft)
    AutoTokenizer.from_pretrained(gguf.parent, **where).save_pretrained(draft)
