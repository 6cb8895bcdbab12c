"""Pipelines written in a test, planned in the repository that the test works in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hubc.errors import SpecError
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from hubc.diagnostics import Diagnostic
    from hubc.plan import Plan

HEAD = "apiVersion: hubc/v1\nkind: Pipeline\nmetadata:\n  name: tides\nspec:\n"
MODEL = "  model: {location: 'hf://example/model@12fd25f77366fa6b3b4b768ec3050bf629380bac'}\n"
TAXONOMY = "  taxonomy: {path: specs/taxonomy}\n"
GENERATE = "  generate: {teacher: {endpoint: {url: 'https://teacher.example.com/v1', model: m}}}\n"
PATH = Path("specs/pipelines/tides.yaml")


def plan(sections: str, platform: str = "local") -> Plan:
    """Return the plan of a pipeline with these sections beside the base model; each line of them is indented by two spaces.

    Raises SpecError with what is wrong in it.
    """
    PATH.write_text(HEAD + MODEL + sections, encoding="utf-8")
    return load_plan(PATH, load_platform(platform, Path.cwd()))


def faults(sections: str, platform: str = "local") -> list[Diagnostic]:
    """Return what is wrong in a pipeline with these sections."""
    try:
        plan(sections, platform)
    except SpecError as error:
        return error.diagnostics
    return []


def pointed_at(found: Diagnostic) -> str:
    """Return the text that a diagnostic points at."""
    line = PATH.read_text(encoding="utf-8").split("\n")[found.line - 1]
    return line[found.column - 1 : found.column - 1 + found.length]
