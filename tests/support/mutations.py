"""Specs with something wrong in them: mutations of their data, and of their text."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LEVELS = 80
ODD_TEXT = (
    "", " ", "x", "null", "on", "~", "5e-4", "0x1f", "1_000", "2024-02-30", "{{workflow.name}}", "../..", "/etc/passwd",
    "a: b", "# no", "- x", "*a", "&a", "!!python/object:os.system", "%YAML", "<<", "hubc: allow unknown-key", "ßﬁ𝕊",
    "e\u0301", "\u202egnp.exe", "\u2028", "\u00a0", "\ufffe", "🏳️‍🌈", "x" * 5000, "hf_" + "a" * 34, "'", '"', "\\",
    "\t", "\n",
    "specs/bases/team.yaml", "generated", "base", "tuned", "https://[::1", "file:///", "s3://", "hf://a/b@c", "pypi://x@1/",
)  # fmt: skip
ODD_VALUES = (
    None, True, False, 0, 1, -1, 2, 3.0, 0.5, 1e308, -1e-300, 10**40, [], {}, [[]], [None], [1, "x"], {"a": 1}, {"": {}},
    {"secret": "x", "key": "y"}, *ODD_TEXT,
)  # fmt: skip
KEYS = (
    "extends", "partial", "spec", "kind", "name", "metadata", "matrix", "fields", "phases", "suite", "suites", "gates",
    "serve", "endpoint", "algorithm", "custom", "publish", "taxonomy", "data", "datasets", "learnin_rate", "0", "a.b", "é",
    " ", "x" * 300,
)  # fmt: skip
BYTES = (b"\x00", b"\xff", b"\xc3", b"\t", b"\r", b"\xef\xbb\xbf", b"---\n", b"...\n", b"\n%TAG ! x\n", b"<<<<<<< HEAD\n",
         b"<<: *a\n", b"&a ", b"*a", b"!x ", b"? ", b": ", b"- ", b"[", b"}", b"|", b"'", b'"', b"#",
         b"\xe2\x80\xa8", b"\xed\xa0\x80")  # fmt: skip


@st.composite
def mutated_data(draw: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Return data with one to three mutations."""
    data = deepcopy(data)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(data))
        if places:
            holder, key = places[draw(st.integers(0, len(places) - 1))]
            draw(st.sampled_from(_MUTATIONS))(draw, holder, key)
    return data


@st.composite
def mutated_text(draw: Any, data: bytes) -> bytes:
    """Return text with one to three mutations."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        lines = data.splitlines(keepends=True) or [b""]
        number = draw(st.integers(0, len(lines) - 1))
        match draw(st.sampled_from(("cut", "insert", "drop", "swap", "copy", "indent", "tab", "random"))):
            case "cut":
                data = data[:at]
            case "insert":
                data = data[:at] + draw(st.sampled_from(BYTES)) + data[at:]
            case "drop":
                data = data[:at] + data[at + draw(st.integers(1, 40)) :]
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[number], lines[other] = lines[other], lines[number]
                data = b"".join(lines)
            case "copy":
                block = lines[number : number + draw(st.integers(1, 8))]
                data = b"".join([*lines[:number], *block, *lines[number:]])
            case "indent":
                lines[number] = b" " * draw(st.integers(1, 5)) + lines[number]
                data = b"".join(lines)
            case "tab":
                lines[number] = lines[number].replace(b"  ", b"\t", 1)
                data = b"".join(lines)
            case _:
                data = data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
    return data


def as_yaml(data: Any) -> bytes:
    """Return data as a YAML file."""
    return bytes(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, encoding="utf-8"))


def _places(value: Any) -> Any:
    """Yield every collection with each of its keys."""
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(item)


def _drop(draw: Any, holder: Any, key: Any) -> None:
    del holder[key]


def _replace(draw: Any, holder: Any, key: Any) -> None:
    holder[key] = deepcopy(draw(st.sampled_from(ODD_VALUES)))


def _rename(draw: Any, holder: Any, key: Any) -> None:
    """Give a value another key: a misspelt one, or one that means something else."""
    if isinstance(holder, dict):
        new = draw(st.sampled_from((key[1:], key + "s", key.upper(), *KEYS)))
        holder[new] = holder.pop(key)


def _add(draw: Any, holder: Any, key: Any) -> None:
    value = deepcopy(draw(st.sampled_from(ODD_VALUES)))
    if isinstance(holder, dict):
        holder[draw(st.sampled_from(KEYS))] = value
    else:
        holder.append(value)


def _nest(draw: Any, holder: Any, key: Any) -> None:
    for _ in range(draw(st.integers(1, MAX_LEVELS))):
        holder[key] = {"x": holder[key]} if draw(st.booleans()) else [holder[key]]


def _copy(draw: Any, holder: Any, key: Any) -> None:
    """Put a value where another one stands, or beside it."""
    value = deepcopy(holder[key])
    if isinstance(holder, list):
        holder.insert(key, value)
    else:
        holder[draw(st.sampled_from(sorted(holder)))] = value


def _change(draw: Any, holder: Any, key: Any) -> None:
    """Change a value a little."""
    match holder[key]:
        case bool() as value:
            holder[key] = not value
        case int() | float() as value:
            holder[key] = value * draw(st.sampled_from((-1, 0, 2, 0.5, 1000, 1.0)))
        case str() as value:
            at = draw(st.integers(0, len(value)))
            holder[key] = value[:at] + draw(st.sampled_from(ODD_TEXT)) + value[at:]
        case value:
            holder[key] = [value]


_MUTATIONS: tuple[Callable[[Any, Any, Any], None], ...] = (_drop, _replace, _rename, _add, _nest, _copy, _change)
