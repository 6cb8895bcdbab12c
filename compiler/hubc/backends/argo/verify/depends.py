"""The condition on which a task of a DAG starts: names of tasks and how they ended, with `&&`, `||`, `!` and parentheses.

Source: argo-workflows, workflow/common/ancestry.go.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
OF_ITEMS = ("AnySucceeded", "AllFailed")
_TOKEN = re.compile(r"\s*(?:(?P<name>[A-Za-z0-9][-A-Za-z0-9]*)(?:\.(?P<result>[A-Za-z]+))?|(?P<symbol>&&|\|\||[!()]))")


class DependsError(ValueError):
    """A text is no condition; the message says why."""


class Operand(NamedTuple):
    """A task, and how it must have ended, if that is said."""

    task: str
    result: str | None


def parse(text: str) -> list[Operand]:
    """Return the operands of a condition in their order.

    Raises DependsError if the text is no condition.
    """
    tokens = list(_tokens(text))
    operands = [token for token in tokens if isinstance(token, Operand)]
    symbols = "".join(token if isinstance(token, str) else "x" for token in tokens)
    # What is complete is taken for one operand, until nothing else is left.
    while (shorter := re.sub(r"!x|\(x\)|x(?:&&|\|\|)x", "x", symbols)) != symbols:
        symbols = shorter
    if symbols != "x":
        raise DependsError("it is no condition: names of tasks with '&&', '||', '!' and parentheses between them are")
    return operands


def _tokens(text: str) -> Iterator[Operand | str]:
    position = 0
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        if found is None:
            raise DependsError(f"it cannot be read from '{text[position:].strip()[:20]}' on")
        position = found.end()
        if found["symbol"]:
            yield found["symbol"]
            continue
        if found["result"] is not None and found["result"] not in RESULTS:
            raise DependsError(f"'{found['result']}' is no way for task '{found['name']}' to end; {', '.join(RESULTS)} are")
        yield Operand(found["name"], found["result"])
