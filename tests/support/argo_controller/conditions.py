"""`successCondition` and `failureCondition`: label selectors whose keys are paths into an object."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_PARTS = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"(\S+)\s+(in|notin)\s+\(([^)]*)\)")
_PAIR = re.compile(r"([^=!<>\s]+)\s*(==|=|!=|>|<)\s*(\S+)")
_KEY = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_./]{0,315}")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_MISSING = object()


class ConditionError(Exception):
    """A condition that does not parse."""


@dataclass(frozen=True)
class Requirement:
    """One part of a condition."""

    text: str
    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, found: Any) -> bool:
        """Tell whether an object meets it; what is missing is unequal to everything."""
        value = _at(found, self.key)
        match self.operator:
            case "exists":
                return value is not None
            case "missing":
                return value is None
            case "in" | "=" | "==":
                return value in self.values
            case "notin" | "!=":
                return value not in self.values
        try:
            return value is not None and (int(value) - int(self.values[0])) * (1 if self.operator == ">" else -1) > 0
        except ValueError:
            return False


def parse(condition: str) -> list[Requirement]:
    """Return the parts of a condition; raises ConditionError if the selector grammar does not know it."""
    return [_requirement(part.strip()) for part in _PARTS.split(condition)] if condition.strip() else []


def _requirement(part: str) -> Requirement:
    if match := _SET.fullmatch(part):
        found = Requirement(part, match[1], match[2], tuple(value.strip() for value in match[3].split(",")))
    elif match := _PAIR.fullmatch(part):
        found = Requirement(f"{match[1]}{match[2]}{match[3]}", match[1], match[2], (match[3],))
    elif part.startswith("!"):
        found = Requirement(part, part[1:].strip(), "missing")
    else:
        found = Requirement(part, part, "exists")
    if not _KEY.fullmatch(found.key) or not all(map(_VALUE.fullmatch, found.values)):
        raise ConditionError(f"unable to parse requirement: '{part}'")
    return found


def _at(found: Any, path: str) -> str | None:
    """Return what is at a path as gjson prints it, or None."""
    for key in path.split("."):
        if isinstance(found, dict):
            found = found.get(key, _MISSING)
        elif isinstance(found, list) and key.isdigit():
            found = found[int(key)] if int(key) < len(found) else _MISSING
        else:
            found = _MISSING
    if found is _MISSING:
        return None
    return "" if found is None else found if isinstance(found, str) else json.dumps(found)
