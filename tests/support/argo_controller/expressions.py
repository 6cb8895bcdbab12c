"""The expressions of `depends`, `when` and `retryStrategy`: one small grammar, three meanings of a word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TASK = r"[A-Za-z0-9_][-A-Za-z0-9_]*(?:\.[A-Za-z]+)?"
_WORD = r"[A-Za-z_][A-Za-z0-9_.]*"
_REST = r"""|"[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|\|\||&&|==|!=|>=|<=|[><!()\[\],]"""
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, ">": lambda a, b: a > b, "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, "in": lambda a, b: a in b,
}  # fmt: skip
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {"asInt": int, "asFloat": float, "string": str}


class ExpressionError(Exception):
    """An expression that does not parse, or is not true or false."""


def depends(text: str, has_ended_so: Callable[[str], bool]) -> bool:
    """Evaluate a `depends`; `has_ended_so` tells of `task` or `task.Succeeded` whether it is so."""
    return _Reading(text, _TASK, has_ended_so).result()


def tasks(text: str) -> list[str]:
    """Return the tasks that a `depends` names."""
    return list(dict.fromkeys(word.split(".")[0] for word in re.findall(_TASK, text)))


def when(text: str) -> bool:
    """Evaluate a `when`, in which words stand for themselves."""
    return _Reading(text, _WORD, lambda word: {"true": True, "false": False}.get(word, word)).result()


def condition(text: str, values: Mapping[str, Any]) -> bool:
    """Evaluate an expression over variables."""

    def look_up(word: str) -> Any:
        if word not in values:
            raise ExpressionError(f"unknown name {word} in '{text}'")
        return values[word]

    return _Reading(text, _WORD, look_up).result()


class _Reading:
    """A recursive descent that computes as it goes; nothing has side effects, so both sides of `&&` are looked at."""

    def __init__(self, text: str, word: str, look_up: Callable[[str], Any]) -> None:
        self._text, self._word, self._look_up = text, re.compile(word), look_up
        self._tokens: list[str] = re.findall(rf"{word}{_REST}|\S", text)
        self._at = 0

    def result(self) -> bool:
        found = self._either()
        if self._at != len(self._tokens) or not isinstance(found, bool):
            raise ExpressionError(f"Expected boolean evaluation for '{self._text}'. Got {found}")
        return found

    def _next(self, *wanted: str) -> str | None:
        if self._at < len(self._tokens) and (not wanted or self._tokens[self._at] in wanted):
            self._at += 1
            return self._tokens[self._at - 1]
        if wanted:
            return None
        raise ExpressionError(f"Invalid expression '{self._text}': it ends too early")

    def _need(self, token: str) -> None:
        if self._next(token) is None:
            raise ExpressionError(f"Invalid expression '{self._text}': '{token}' is missing")

    def _either(self) -> Any:
        found = self._both()
        while self._next("||"):
            found = self._both() or found
        return found

    def _both(self) -> Any:
        found = self._comparison()
        while self._next("&&"):
            found = self._comparison() and found
        return found

    def _comparison(self) -> Any:
        found = self._value()
        if operator := self._next(*_COMPARE):
            return _COMPARE[operator](found, self._value())
        return found

    def _value(self) -> Any:
        match token := self._next() or "":
            case "!":
                return not self._value()
            case "(":
                found = self._either()
                self._need(")")
                return found
            case "[":
                return self._list()
            case _ if token in _FUNCTIONS and self._next("("):
                found = _FUNCTIONS[token](self._either())
                self._need(")")
                return found
            case _ if token[0] in "'\"":
                return token[1:-1]
            case _ if self._word.fullmatch(token):
                return self._look_up(token)
        try:
            return float(token) if "." in token else int(token)
        except ValueError:
            raise ExpressionError(f"Invalid expression '{self._text}': Invalid token: '{token}'") from None

    def _list(self) -> list[Any]:
        found = []
        while not self._next("]"):
            found.append(self._either())
            self._next(",")
        return found
