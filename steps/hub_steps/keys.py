"""What a step's cache key is computed from, so that it is known before anything runs."""

from __future__ import annotations

from typing import Any

CODE_VERSIONS: dict[str, int] = {"fetch": 1, "generate": 2, "mix": 1, "train": 2, "evaluate": 2, "gate": 1, "publish": 2}
"""Part of every cache key: raised when a change to a step's code changes what it makes from the same request."""

_ASKED = ("endpoint.api_key", "endpoint.parallel_requests", "serve.parallel_requests")
HOW_TO_WORK: dict[str, frozenset[str]] = {
    "fetch": frozenset({"token"}),
    "generate": frozenset(
        {
            "batch_size",
            "request_timeout_seconds",
            *(f"{model}.{field}" for model in ("teacher", "judge") for field in _ASKED),
        }
    ),
    "train": frozenset({"tracking"}),
    "evaluate": frozenset(
        {"suite.batch_size", "suite.request_timeout_seconds", *(f"suite.judge.{field}" for field in _ASKED)}
    ),
    "publish": frozenset({"huggingface.token", "github.token"}),
}
"""Parameters that change how long a step takes or what it may reach, but not what it makes: dotted paths for each kind.

Paths, and not names: what users name themselves, such as data sets and variables, may be called the same.
"""


def key_material(kind: str, parameters: dict[str, Any], inputs: dict[str, str]) -> dict[str, Any]:
    """Return what a step's cache key is the digest of: kind, code version, parameters, and its inputs' keys.

    Parameters that say how to work, and not what to make, are left out.
    """
    what = _what(parameters, HOW_TO_WORK.get(kind, frozenset()), "")
    return {"kind": kind, "code_version": CODE_VERSIONS[kind], "parameters": what, "inputs": inputs}


def _what(values: dict[str, Any], left_out: frozenset[str], prefix: str) -> dict[str, Any]:
    return {
        name: _what(item, left_out, f"{prefix}{name}.") if isinstance(item, dict) else item
        for name, item in values.items()
        if f"{prefix}{name}" not in left_out
    }
