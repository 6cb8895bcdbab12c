"""Whatever is wrong in a spec, hubc says what and where: never a traceback, always exit code 0 or 1.

The usual suite makes a few hundred mutations; `HUBC_MUTATIONS=20000 pytest tests/compiler/test_mutations.py` makes more.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mutations import as_yaml, mutated_data, mutated_text

from hubc.cli import main
from hubc.rules import RULES
from hubc.source import parse_text

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
NUM_MUTATIONS = int(os.environ.get("HUBC_MUTATIONS", "600"))
SPECS = {path.relative_to(ROOT): path.read_bytes() for path in sorted((ROOT / "specs").rglob("*.yaml"))}
PLANNED = {"bases": "quantized", "generation": "preview", "platforms": "quickstart", "taxonomy": "quickstart"}
"""Folder of specs that cannot be planned themselves, and the pipeline that reads them."""
USAGE = (
    "give the file of a Pipeline",
    "give the name or file of a Platform",
    "only there to be extended",
    "mend it instead",
)
"""What `plan` says of a file that turned into one that it is not for, with exit code 2."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a repository with this one's specs, and work at its top."""
    folder = tmp_path_factory.mktemp("mutations")
    (folder / ".git").mkdir()
    shutil.copytree(ROOT / "specs", folder / "specs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@st.composite
def mutated(draw: Any) -> tuple[Path, bytes]:
    """Return the path of a spec and what it becomes."""
    path = draw(st.sampled_from(sorted(SPECS)))
    if draw(st.booleans()):
        return path, draw(mutated_text(SPECS[path]))
    return path, as_yaml(draw(mutated_data(parse_text(SPECS[path].decode(), str(path)).data)))


@given(case=mutated())
@settings(
    max_examples=NUM_MUTATIONS,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
@pytest.mark.timeout(7200)
def test_mutated_spec(copy: Path, case: tuple[Path, bytes]) -> None:
    path, content = case
    path.write_bytes(content)
    try:
        check_validate(path)
        check_plan(path)
    finally:
        path.write_bytes(SPECS[path])


def check_validate(path: Path) -> None:
    code, output, errors = run("validate", str(path), "--format", "json")
    found = json.loads(output)
    assert (code, errors) == (int(any(item["severity"] == "error" for item in found)), "")
    for item in found:
        check(item)
    assert run("validate", str(path))[0] == code


def check(item: dict[str, Any]) -> None:
    """Hold a diagnostic to its word."""
    assert item["rule"] in RULES
    assert item["message"].strip()
    assert item["help"].strip()
    lines = Path(item["file"]).read_bytes().decode("utf-8-sig", "replace").split("\n")
    assert 1 <= item["line"] <= len(lines)
    assert 1 <= item["column"] <= len(lines[item["line"] - 1]) + 1


def check_plan(path: Path) -> None:
    spec = path if path.parts[1] == "pipelines" else Path("specs", "pipelines", f"{PLANNED[path.parts[1]]}.yaml")
    platform = str(path) if path.parts[1] == "platforms" else "local"
    code, output, errors = run("plan", str(spec), "--platform", platform)
    assert code in (0, 1) or any(words in errors for words in USAGE), errors
    assert (output if code == 0 else errors).strip()


def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command in this process, and return its exit code and what it wrote."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        code = main(list(arguments))
    return code, output.getvalue(), errors.getvalue()
