"""Which package may import which, over the import statements; and what starting the compiler costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
COMPILER, STEPS = ROOT / "compiler" / "hubc", ROOT / "steps" / "hub_steps"
LIGHT = {
    "hub_steps.contract",
    "hub_steps.generation",
    "hub_steps.holdout",
    "hub_steps.keys",
    "hub_steps.parameters",
    "hub_steps.locations",
    "hub_steps.taxonomy",
    "hub_steps.digest",
    "hub_steps.files",
    "hub_steps.credentials",
    "hub_steps.printable",
    "hub_steps.logs",
    "hub_steps.markdown",
    "hub_steps.delivery",
    "hub_steps.webhooks",
    "hub_steps.reporting",
    "hub_steps.storage",
    "hub_steps.objects",
    "hub_steps.bundle",
    "hub_steps.concurrency",
    "hub_steps.exchange",
}
CLIENTS = {"fsspec", "s3fs", "botocore", "certifi"}
"""Clients of services and what they bring, which light modules import in the functions that talk to one."""
HEAVY = {
    "torch", "transformers", "hera", "kubernetes", "rich", "peft", "accelerate", "openai", "numpy", "matplotlib", "fsspec",
    "s3fs", "botocore",
}  # fmt: skip


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the modules that a file imports anywhere, the names of `from` imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports would escape this test"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def outside_functions(tree: ast.Module) -> ast.Module:
    """Return what runs when a module is imported."""

    class Emptied(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            return ast.Pass()

    emptied: ast.Module = Emptied().visit(tree)
    return emptied


def imported(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*.py")):
        for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            yield path.relative_to(folder), name


def test_there_is_something_to_look_at() -> None:
    assert len(list(imported(COMPILER))) > 50
    assert len(list(imported(STEPS))) > 10


def test_steps_do_not_know_the_compiler() -> None:
    assert [(path, name) for path, name in imported(STEPS) if name.split(".")[0] == "hubc"] == []


def test_compiler_knows_only_the_declarations_of_the_steps() -> None:
    found = [(path, name) for path, name in imported(COMPILER) if name.split(".")[0] == "hub_steps"]
    assert found
    assert [pair for pair in found if ".".join(pair[1].split(".")[:2]) not in LIGHT] == []


def test_declarations_of_the_steps_are_light() -> None:
    allowed = {"pydantic", "pydantic_core", "hub_steps", *sys.stdlib_module_names}
    for module in LIGHT:
        place = STEPS / module.split(".")[1]
        files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
        trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
        names = {name for tree in trees for name in imports(tree)}
        assert {name.split(".")[0] for name in names} <= allowed | CLIENTS
        assert {name.split(".")[0] for tree in trees for name in imports(outside_functions(tree))} <= allowed
        ours = {name for name in names if name.startswith("hub_steps.")}
        assert {".".join(name.split(".")[:2]) for name in ours} <= LIGHT


@pytest.mark.parametrize("package", ["hera", "kubernetes"])
def test_only_the_argo_backend_talks_to_a_cluster(package: str) -> None:
    found = [path for path, name in imported(COMPILER) if name.split(".")[0] == package]
    assert found
    assert [path for path in found if path.parts[:2] != ("backends", "argo")] == []


@pytest.mark.parametrize("module", ["hubc.workspace", "hubc.spec.schema", "hubc.scaffold", "hubc.backends.argo.backend"])
def test_start_imports_nothing_heavy(module: str) -> None:
    program = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert {name.split(".")[0] for name in json.loads(found.stdout)} & HEAVY == set()
