"""The table of rules, the page about them, the compiler and the tests name the same rules."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from hubc.diagnostics import Diagnostic
from hubc.rules import GROUPS, RULES

TOP = Path(__file__).resolve().parents[2]
COMPILER = TOP / "compiler/hubc"
PAGE = (TOP / "docs/rules.md").read_text(encoding="utf-8")
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")
NOT_RULES = {
    "access-key", "all-linear", "artifact-repositories", "cat-file", "device-hours", "ephemeral-storage", "evaluate-base",
    "evaluate-tuned",
    "example-cluster", "generation-pipeline", "knowledge-leaf", "ls-tree", "max-model-len", "max-num-seqs", "my-model",
    "pod-name-format", "pytorchjob-port", "rev-parse", "secret-key", "served-model-name", "shared-memory", "template-field",
    "tensor-parallel-size", "workflow-archiving-status", "www-authenticate",
}  # fmt: skip
"""Words of the same form in the compiler that are names of other things."""
PAIRS = TOP / "tests/data/rules"
ELSEWHERE = {
    "unreadable-file": "test_unreadable.py::test_text_that_is_not_utf_8",
    "path-outside-repository": "test_unreadable.py::test_taxonomy_that_links_out_of_the_repository",
    "served-without-accelerator": "test_argo_served.py::test_vllm_needs_an_accelerator_each",
    "unreadable-model": "test_unreadable.py::test_base_model_folder_is_bounded",
}
"""Rules that no spec file alone can show, and the test that shows them."""


def words() -> set[str]:
    """Return all text in the compiler but the table of rules, and what stands before the colon of a message."""
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in COMPILER.rglob("*.py") if file.name != "rules.py"]
    texts = {
        str(node.value)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return texts | {text.split(":")[0] for text in texts}


def test_compiler_knows_no_other_rules() -> None:
    assert {word for word in words() if KEBAB.fullmatch(word)} - NOT_RULES - set(RULES) == set()


def test_compiler_uses_every_rule() -> None:
    assert set(RULES) - words() == set()


def test_other_rules_are_impossible() -> None:
    with pytest.raises(KeyError):
        str(Diagnostic("f", 1, 1, "no-such-rule", "message", "help"))


def test_page_is_the_table() -> None:
    shown = re.findall(r"^## (.*)$|^\| `([a-z-]+)` \| ([a-z, ]+) \| (.*) \|$", PAGE, re.MULTILINE)
    table = [
        entry
        for group, rules in GROUPS.items()
        for entry in [
            (group, "", "", ""),
            *(("", rule.id, rule.severity + ("" if rule.silenceable else ", always"), rule.summary) for rule in rules),
        ]
    ]
    assert [entry for entry in shown if entry[0] != "Silence a rule"] == table


def test_structure_cannot_be_silenced() -> None:
    never = {rule.id for rule in RULES.values() if not rule.silenceable}
    assert {rule for rule in RULES if rule.startswith("yaml-")} < never
    assert {rule.id for rule in GROUPS["Its shape"]} - never == {"duplicate-text"}
    assert {"template-braces", "path-outside-repository"} < never


def test_every_rule_has_its_pair_or_another_test() -> None:
    rendering = {rule.id for rule in GROUPS["Rendering"]}
    assert {folder.name for folder in PAIRS.iterdir()} == set(RULES) - set(ELSEWHERE) - rendering
    shown = "".join(file.read_text(encoding="utf-8") for file in (TOP / "tests/backends").glob("test_*.py"))
    assert {rule for rule in rendering if rule not in shown} == set()


@pytest.mark.parametrize("rule", ELSEWHERE)
def test_the_other_test_exists(rule: str) -> None:
    file, _, name = ELSEWHERE[rule].partition("::")
    (found,) = (TOP / "tests").rglob(file)
    text = found.read_text(encoding="utf-8")
    assert f"def {name}(" in text
    assert rule in text
