"""What differs between two plans, and that notation and place are no difference."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubc.errors import SpecError
from hubc.plan_views.difference import difference
from hubc.plan_views.difference_text import difference_lines, step_lines
from hubc.reuse import decide_all
from hubc.source import parse
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from hubc.plan import Plan
    from hubc.plan_views.difference import Difference

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden" / "difference"
SPEC = Path("specs/pipelines/quickstart.yaml")
LEAF = Path("specs/taxonomy/knowledge/software/hubc/runs/qna.yaml")
PIPELINES = sorted((ROOT / "specs" / "pipelines").glob("*.yaml"))
PLAIN = re.compile(r"[a-z][a-z0-9_-]*")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def plan(platform: str = "local") -> Plan:
    return load_plan(SPEC, load_platform(platform, Path.cwd()))


def edit(old: str, new: str, path: Path = SPEC) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def compare(before: Plan, after: Plan) -> Difference:
    return difference(before, after, "main", "0" * 40)


EDITS: dict[str, Callable[[], None]] = {
    "training": lambda: edit("num_epochs: 3", "num_epochs: 4"),
    "resources": lambda: edit("nodes: 2", "nodes: 1"),
    "leaf": lambda: edit("domain: ", "domain: other ", LEAF),
    "leaf-removed": lambda: LEAF.unlink(),
    "description": lambda: edit("on any machine", "anywhere"),
    "how-to-work": lambda: edit("max_tokens: 80", "max_tokens: 80\n    request_timeout_seconds: 60"),
    "no-publishing": lambda: SPEC.write_text(SPEC.read_text().split("  publish:\n")[0]),
    "teacher": lambda: SPEC.write_text(
        re.sub(r"serve:\n *location: .*", "endpoint: {url: 'https://t.example.com/v1', model: m, "
               "api_key: {secret: teacher, key: token}}", SPEC.read_text(), count=1)),
}  # fmt: skip


def told(found: Difference, after: Plan) -> list[str]:
    return [*difference_lines(found, after, {}), *step_lines(found, after)]


@pytest.mark.parametrize("name", EDITS)
def test_difference_of_an_edit(repo: Path, name: str, golden: Callable[[Path, str], None]) -> None:
    before = plan("example-cluster")
    EDITS[name]()
    after = plan("example-cluster")
    text = "\n".join([*told(compare(before, after), after), "", "and back:", *told(compare(after, before), before)])
    golden(GOLDEN / f"{name}.txt", text.replace(before.digest[:12], "BEFORE").replace(after.digest[:12], "AFTER") + "\n")


def test_steps_that_run_because_of_it(repo: Path) -> None:
    before = plan()
    edit("num_epochs: 3", "num_epochs: 4")
    after = plan()
    found = compare(before, after)
    assert [step.step for step in found.steps if step.other_output] == ["train", "evaluate-tuned", "publish"]
    decisions = decide_all(after, (repo / "outputs").as_uri())
    assert difference_lines(found, after, decisions) == [
        "Compared with main (000000000000): 1 edit",
        "  train.num_epochs 3 -> 4",
        "  To run because of it: train, evaluate-tuned, publish.",
    ]


def test_an_edit_is_told_once_for_all_variants(repo: Path) -> None:
    sweep = Path("specs/pipelines/sweep.yaml")
    before = load_plan(sweep, load_platform("local", Path.cwd()))
    edit("num_epochs: 3", "num_epochs: 4", sweep)
    after = load_plan(sweep, load_platform("local", Path.cwd()))
    lines = difference_lines(compare(before, after), after, {})
    assert lines[:2] == ["Compared with main (000000000000): 1 edit", "  train.num_epochs 3 -> 4"]
    assert len(lines) == 3


def notation(value: Any, draw: random.Random, indent: int = 0) -> Iterator[str]:
    """Yield lines of YAML for a value: keys in any order, any quoting, block or flow style, comments."""
    pad = " " * indent
    items = list(value.items()) if isinstance(value, dict) else []
    draw.shuffle(items)
    for key, item in items:
        if draw.random() < 0.3:
            yield f"{pad}# {draw.random()}"
        if isinstance(item, dict) and item and draw.random() < 0.8:
            yield f"{pad}{scalar(key, draw)}:"
            yield from notation(item, draw, indent + draw.choice((1, 2, 4)))
        else:
            yield f"{pad}{scalar(key, draw)}: {flow(item, draw)}{draw.choice(('', '  # so'))}"


def flow(value: Any, draw: random.Random) -> str:
    if isinstance(value, dict):
        items = list(value.items())
        draw.shuffle(items)
        return "{" + ", ".join(f"{scalar(key, draw)}: {flow(item, draw)}" for key, item in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item, draw) for item in value) + "]"
    return scalar(value, draw)


def scalar(value: Any, draw: random.Random) -> str:
    if isinstance(value, float):
        return draw.choice((repr(value), f"{value:.17e}", f"{value:.20f}"))
    if not isinstance(value, str):
        return draw.choice((f"+{value}", str(value))) if type(value) is int and value >= 0 else json.dumps(value)
    ways = [json.dumps(value, ensure_ascii=False)]
    if value.isprintable():
        ways.append("'" + value.replace("'", "''") + "'")
    if PLAIN.fullmatch(value) and value not in WORDS:
        ways.append(value)
    return draw.choice(ways)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository that is none of git, in another place."""
    folder = tmp_path_factory.mktemp("else where")
    (folder / ".git").mkdir()
    shutil.copytree(ROOT / "specs", folder / "specs")
    return folder


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
@settings(max_examples=20)
@given(draw=st.randoms(use_true_random=False))
def test_notation_and_place_are_no_difference(elsewhere: Path, path: Path, draw: random.Random) -> None:
    other = elsewhere / path.relative_to(ROOT)
    # On a cluster with accelerators every one of them can run.
    platform = load_platform("example-cluster", ROOT)
    try:
        before = load_plan(path, platform)
    except SpecError as error:
        pytest.skip(f"there is no plan of it: {error.diagnostics[0]}")
    other.write_text("\n".join(notation(parse(path).data, draw)) + "\n")
    after = load_plan(other, platform)
    assert compare(before, after).changes == ()
    assert after.digest == before.digest
