"""Label selectors as Kubernetes parses them, which is what Argo's conditions on resources are.

Source: k8s.io/apimachinery, pkg/labels/selector.go: the tokens, the places where a keyword is a value, and the order of
values are the same. Argo evaluates the keys as paths into the resource (argo-workflows, workflow/executor/resource.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hubc.backends.argo.verify.syntax import key_fault, value_fault

Operator = Literal["exists", "!", "=", "==", "!=", "in", "notin", ">", "<"]
_BINARY: dict[str, Operator] = {"=": "=", "==": "==", "!=": "!=", "in": "in", "notin": "notin", ">": ">", "<": "<"}
_SYMBOLS = ")", ",", "!", "==", "=", ">", "<", "!=", "("
_SPECIAL = "=!(),><"
_SPACE = " \t\r\n"
_KEYWORDS = "in", "notin"
_MAX_INT = 2**63 - 1
_END = ""


class SelectorError(ValueError):
    """A text is no selector; the message says why."""


@dataclass(frozen=True)
class Requirement:
    """One condition of a selector; `values` are sorted and differ, and are empty for `exists` and `!`."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = ",".join(self.values)
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({listed})"
            case _:
                return f"{self.key}{self.operator}{listed}"


def parse(text: str) -> list[Requirement]:
    """Return the requirements of a selector, sorted by their keys; none match everything.

    Raises SelectorError if the text is no selector.
    """
    return sorted(_Parser(_tokens(text)).requirements(), key=lambda each: each.key)


def _tokens(text: str) -> list[str]:
    """Return the tokens of a text, the empty one of its end last."""
    found, position = [], 0
    # The parser in Go takes a zero byte for the end, but for one right after a token, which it leaves out.
    while position < len(text) and text[position] != "\0":
        character = text[position]
        if character in _SPACE:
            position += 1
            continue
        token = _symbol(text[position : position + 2]) if character in _SPECIAL else _word(text, position)
        found.append(token)
        position += len(token)
        position += text[position : position + 1] == "\0"
    return [*found, _END]


def _symbol(text: str) -> str:
    return text if text in _SYMBOLS else text[0]


def _word(text: str, start: int) -> str:
    end = start
    while end < len(text) and text[end] not in _SPECIAL + _SPACE + "\0":
        end += 1
    return text[start:end]


class _Parser:
    """Reads requirements from tokens, by recursive descent."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self._peek() != _END:
            found.append(self._requirement())
            if (after := self._next()) == _END:
                break
            if after != ",":
                raise SelectorError(f"found '{after}', where ',' or the end should be")
            if not _is_word(self._peek()) and self._peek() != "!":
                raise SelectorError(f"found '{self._peek()}', where a path should follow ','")
        return found

    def _requirement(self) -> Requirement:
        denied = self._peek() == "!"
        if denied:
            self._next()
        key = self._next()
        if not _is_word(key):
            raise SelectorError(f"found '{key}', where a path should be")
        if fault := key_fault(key):
            raise SelectorError(fault)
        if denied or self._peek() in (_END, ","):
            return Requirement(key, "!" if denied else "exists")
        return _checked(Requirement(key, operator := self._operator(), self._values(operator)))

    def _operator(self) -> Operator:
        token = self._next()
        if token not in _BINARY:
            raise SelectorError(f"found '{token}', where one of {', '.join(_BINARY)} should be")
        return _BINARY[token]

    def _values(self, operator: Operator) -> tuple[str, ...]:
        if operator in _KEYWORDS:
            return tuple(sorted(self._list()))
        if self._peek() in (_END, ","):
            return ("",)
        if not _is_word(value := self._next()):
            raise SelectorError(f"found '{value}', where a value should be")
        return (value,)

    def _list(self) -> set[str]:
        """Read values in parentheses; beside a comma, nothing is the empty value."""
        if (token := self._next()) != "(":
            raise SelectorError(f"found '{token}', where '(' should be")
        if self._peek() == ")":
            self._next()
            return {""}
        found: set[str] = set()
        while self._entry(found):
            pass
        self._next()
        return found

    def _entry(self, found: set[str]) -> bool:
        """Read a value or a comma of a list into `found`, and tell whether more follows."""
        entry, following = self._next(), self._peek()
        if _is_word(entry):
            found.add(entry)
            if following not in (",", ")"):
                raise SelectorError(f"found '{following}', where ',' or ')' should be")
        elif entry == ",":
            if not found or following in (",", ")"):
                found.add("")
            if following == ",":
                # Of two commas, the parser in Go takes both at once, and refuses a parenthesis after them.
                self._next()
                return True
        else:
            raise SelectorError(f"found '{entry}', where ',' or a value should be")
        return following != ")"

    def _peek(self) -> str:
        return self._tokens[self._position]

    def _next(self) -> str:
        token = self._tokens[self._position]
        # What follows the end is the end.
        self._position = min(self._position + 1, len(self._tokens) - 1)
        return token


def _is_word(token: str) -> bool:
    return token != _END and token not in _SYMBOLS


def _checked(requirement: Requirement) -> Requirement:
    for value in requirement.values:
        if fault := value_fault(value):
            raise SelectorError(fault)
        if requirement.operator in (">", "<") and not (value.isdecimal() and int(value) <= _MAX_INT):
            raise SelectorError(f"'{value}' is not a whole number, and '{requirement.operator}' compares only these")
    return requirement
