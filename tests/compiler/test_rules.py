"""The page of rules and the messages of the compiler name the same rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
RULE = re.compile(r"^[a-z]+(-[a-z]+)+$")
DOCUMENTED = set(re.findall(r"^\| `([a-z-]+)` \|", (TOP / "docs/rules.md").read_text(encoding="utf-8"), re.MULTILINE))
NOT_RULES = {"clean-up", "evaluate-base", "evaluate-tuned", "example-cluster", "knowledge-leaf", "my-model", "shared-memory"}
"""Words of the same form in the compiler that are names of other things."""


def rules(node: ast.AST) -> set[str]:
    """Return the rules that an expression names: by themselves, at the start of a message, or as a budget."""
    match node:
        case ast.Constant(value=str(text)) if RULE.match(text):
            return {text}
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]) if ":" in text and RULE.match(text.split(":")[0]):
            return {text.split(":")[0]}
        case ast.Call(func=ast.Name(id="too_large"), args=[ast.Constant(value=str(text)), *_]):
            return {text}
    return set()


def test_every_rule_of_the_compiler_is_documented() -> None:
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in (TOP / "compiler/hubc").rglob("*.py")]
    found = {rule for tree in trees for node in ast.walk(tree) for rule in rules(node)}
    assert found - NOT_RULES == DOCUMENTED


def test_every_documented_rule_is_tested() -> None:
    told = "".join(path.read_text(encoding="utf-8") for path in (TOP / "tests/data/invalid").glob("*.out"))
    files = [path for path in (TOP / "tests").rglob("test_*.py") if path != Path(__file__)]
    tests = "".join(path.read_text(encoding="utf-8") for path in files)
    assert {rule for rule in DOCUMENTED if f": {rule}: " not in told and rule not in tests} == set()
