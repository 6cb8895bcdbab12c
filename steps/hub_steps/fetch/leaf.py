"""A `qna.yaml` that anybody may have written: read within limits, then checked as a knowledge leaf."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from hub_steps.contract import faults
from hub_steps.taxonomy import KnowledgeLeaf

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 100_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_leaf(content: bytes) -> KnowledgeLeaf:
    """Return the leaf in a file.

    Raises ValueError, with the reason, if the file is not one YAML mapping of known size, or not a leaf.
    """
    if len(content) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        _check(text)
        return KnowledgeLeaf.model_validate(yaml.load(text, Loader=_UniqueKeys))  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from None
    except ValidationError as error:
        raise ValueError(faults(error)) from None
    except yaml.YAMLError as error:
        raise ValueError(f"it is not YAML: {' '.join(str(error).split())}") from None


def _check(text: str) -> None:
    """Go over the parser's events, which takes no recursion, before anything is built of them."""
    depth = values = 0
    for event in yaml.parse(text, Loader=_LOADER):
        values += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        line = f"line {event.start_mark.line + 1}" if event.start_mark else "the file"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None):
            raise ValueError(f"{line}: an alias ('*') or tag ('!') is not allowed")
        if depth > MAX_DEPTH:
            raise ValueError(f"{line}: it is nested deeper than {MAX_DEPTH} levels")
        if values > MAX_VALUES:
            raise ValueError(f"{line}: it holds more than {MAX_VALUES} values")


class _UniqueKeys(_LOADER):  # type: ignore[misc, valid-type] # the loader is chosen when the program starts
    """Builds plain data; a key that stands twice is an error, not the last one's value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise ValueError(f"the key '{key.value}' stands twice")
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found
