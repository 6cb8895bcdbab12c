"""The `config.json` of a model that is already on this machine; nothing is fetched and nothing is run."""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from hub_steps.digest import digest
from hub_steps.locations import ModelLocation
from hubc.repository import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = ".complete.json"
"""What the steps' model cache writes last into an entry; its `name` says what the entry is."""
_MAX_ENTRIES = 2000
_MAX_MARKER_BYTES = 1 << 22


def find_config(location: str, model_cache: Path | None = None, hub_cache: Path | None = None) -> Path | None:
    """Return the config of the model at a location, if this machine has it; None for any other text.

    Looks in the folder of a `file://` location, in hubc's model cache and in the Hugging Face cache. GGUF weights have
    a config from the moment that a step has converted them.
    """
    try:
        model = ModelLocation.parse(location)
    except ValueError:
        return None
    cache = model_cache or _model_cache()
    if model.path.lower().endswith(".gguf"):
        return _converted(cache, str(model))
    if model.scheme == "file":
        return _existing(Path(model.path))
    own = _existing(cache / "models" / digest(str(model))[:32] / model.path)
    if own or model.scheme != "hf":
        return own
    folder = "models--" + model.name.replace("/", "--")
    return _existing((hub_cache or _hub_cache()) / folder / "snapshots" / model.revision / model.path)


def config_in_repository(root: Path, path: str) -> Path | None:
    """Return the file at a path below the repository's top; None if there is none or a link leads out of it."""
    try:
        found = inside(root, path)
        return found if found.is_file() else None
    except (OSError, ValueError):
        return None


def _existing(folder: Path) -> Path | None:
    path = folder / "config.json"
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):
        return None


def _converted(cache: Path, name: str) -> Path | None:
    """Find the entry of converted weights: its name ends in the converter's version and the weights' digest."""
    found = (entry for entry in _entries(cache) if _name(entry).startswith(f"{name} as transformers, "))
    return next(filter(None, map(_existing, found)), None)


def _entries(cache: Path) -> Iterator[Path]:
    try:
        yield from sorted(islice((cache / "models").iterdir(), _MAX_ENTRIES))
    except OSError:
        return


def _name(entry: Path) -> str:
    try:
        with (entry / MARKER).open("rb") as file:
            data = json.loads(file.read(_MAX_MARKER_BYTES))
    except (OSError, ValueError, RecursionError):
        return ""
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else ""


def _model_cache() -> Path:
    if chosen := os.environ.get("HUBC_CACHE"):
        return Path(chosen)
    return _user_cache() / "hubc"


def _hub_cache() -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if chosen := os.environ.get(variable):
            return Path(chosen)
    return Path(os.environ.get("HF_HOME") or _user_cache() / "huggingface") / "hub"


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
