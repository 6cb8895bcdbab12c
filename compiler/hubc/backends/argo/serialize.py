"""Data as text that means the same to every reader: JSON for requests, YAML for the manifest."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import yaml

from hubc.backends.argo.names import too_large
from hubc.errors import HubcError

if TYPE_CHECKING:
    from hubc.spec.platform import Platform

MAX_MANIFEST_BYTES = 512 * 1024
"""The cluster stores 1 MiB with the status of all that ran, and never compresses the specification."""
_NAME = "[-A-Za-z0-9]+"
OUR_TAG = re.compile(
    r"\{\{(workflow\.(name|status)"
    rf"|inputs\.parameters\.{_NAME}|tasks\.prepare\.outputs\.parameters\.{_NAME}"
    rf"|steps\.{_NAME}\.(status|outputs\.parameters\.lost))\}}\}}"
)
"""What Argo may put in: names that hubc made and checked, and its own words."""
_STRING = "tag:yaml.org,2002:str"
_JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_ESCAPES = str.maketrans({"{": "\\u007b", "}": "\\u007d", "$": "\\u0024"})
_PLAIN_KEY = re.compile(r"[A-Za-z][-A-Za-z0-9_./]*")
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def to_json(data: Any, indent: int | None = None) -> str:
    """Return JSON whose strings hold no brace and no dollar sign, which Argo and Kubernetes would act on."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(data, indent=indent, separators=separators, allow_nan=False)
    return _JSON_STRING.sub(lambda match: match[0].translate(_ESCAPES), text)


def to_yaml(data: dict[str, Any]) -> str:
    """Return YAML that versions 1.1 and 1.2 read alike: strings are quoted, or literal blocks where nothing is lost."""
    return yaml.dump(data, Dumper=_Dumper, width=float("inf"), allow_unicode=True)


def check_manifest(manifest: dict[str, Any], text: str) -> None:
    """Raise HubcError if Argo would evaluate a part of the manifest, or if it is too large to be stored."""
    if "{{" in OUR_TAG.sub("", text):
        raise braces("the manifest")
    # The API server gets JSON, in which a document of many lines takes more room than in YAML.
    size = max(len(text.encode()), len(json.dumps(manifest).encode()))
    if size > MAX_MANIFEST_BYTES:
        raise too_large("manifest-size", "the manifest", size, MAX_MANIFEST_BYTES, "bytes",
                        "take the taxonomy from git, sweep fewer values, or use several pipelines")  # fmt: skip


def check_braces(platform: Platform) -> None:
    """Raise HubcError if a text of the platform would be evaluated by Argo: they become labels, commands and variables."""
    if "{{" in json.dumps(platform.as_data(), ensure_ascii=False):
        raise braces("the platform")


def braces(what: str) -> HubcError:
    """Return the error for something that holds what Argo evaluates."""
    return HubcError(f"template-braces: {what} holds '{{{{', which Argo evaluates; remove it from its names and labels")


class _Dumper(yaml.SafeDumper):
    """Has representers of its own: Hera replaces those that the other dumpers inherit."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out: Go's reader limits how often anchors may be used."""
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar(_STRING, text, style="|" if _fits_block(text) else '"')


def _represent_mapping(dumper: _Dumper, data: dict[str, Any]) -> yaml.Node:
    pairs = [(_key(key), dumper.represent_data(value)) for key, value in data.items()]
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)


def _key(key: str) -> yaml.Node:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _YAML_WORDS
    return yaml.ScalarNode(_STRING, key, style=None if plain else '"')


def _fits_block(text: str) -> bool:
    """Tell whether a literal block keeps every character, whatever the reader does with spaces at the ends of lines."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and lines[0][:1] not in ("", " ")
        and not text.endswith("\n\n")
        and all(line.isprintable() and not line.endswith(" ") for line in lines)
    )


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(dict, _represent_mapping)
