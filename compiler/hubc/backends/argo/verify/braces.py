"""Double braces in text, which Argo fills in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BRACES = "{{"
TAG = re.compile(r"\{\{([^{}]*)\}\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a text with values for the tags that have one."""
    return TAG.sub(lambda tag: values.get(tag[1], tag[0]), text) if BRACES in text else text
