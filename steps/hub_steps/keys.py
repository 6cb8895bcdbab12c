"""What a step's cache key is computed from, so that it is known before anything runs."""

from __future__ import annotations

from typing import Any

CODE_VERSIONS: dict[str, int] = {"fetch": 1, "generate": 2, "mix": 1, "train": 2, "evaluate": 2, "gate": 1, "publish": 2}
"""Part of every cache key: raised when a change to a step's code changes what it makes from the same request."""

HOW_TO_WORK = frozenset({"api_key", "batch_size", "parallel_requests", "request_timeout_seconds", "token", "tracking"})
"""Parameters that change how long a step takes or what it may reach, but not what it makes."""


def key_material(kind: str, parameters: dict[str, Any], inputs: dict[str, str]) -> dict[str, Any]:
    """Return what a step's cache key is the digest of: kind, code version, parameters, and its inputs' keys.

    Parameters that say how to work, and not what to make, are left out.
    """
    return {"kind": kind, "code_version": CODE_VERSIONS[kind], "parameters": _what(parameters), "inputs": inputs}


def _what(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _what(item) if isinstance(item, dict) else item for name, item in values.items() if name not in HOW_TO_WORK
    }
