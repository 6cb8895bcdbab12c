"""Tokens that a plan can tell of before anything runs: of generation, of training, of questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hubc.plan_views import amounts
from hubc.workspace import LOCAL, load_plan

if TYPE_CHECKING:
    from pathlib import Path

    from hubc.plan import Plan

HEAD = """\
apiVersion: hubc/v1
kind: Pipeline
metadata: {name: amounts}
spec:
  model: {location: "hf://example/model@12fd25f77366fa6b3b4b768ec3050bf629380bac"}
"""
GENERATE = """\
  taxonomy: {path: specs/taxonomy}
  generate:
    teacher: {endpoint: {url: "http://localhost:8000/v1", model: m}}
    samples_per_seed: 10
    num_examples: 0
    max_tokens: 100
"""


def plan(repo: Path, more: str) -> Plan:
    spec = repo / "specs" / "amounts.yaml"
    spec.write_text(HEAD + more, encoding="utf-8")
    return load_plan(spec, LOCAL)


def test_generation(repo: Path) -> None:
    """Ten contexts, ten requests each: answers of 25, 50 or 100 tokens, and prompts of the contexts' length."""
    simple = amounts.generated(plan(repo, GENERATE).step("generate"))
    assert simple is not None
    seeds = [seed for leaf in _leaves(plan(repo, GENERATE)) for seed in leaf["seed_examples"]]
    prompt = round(sum(len(seed["context"]) for seed in seeds) / len(seeds))
    assert len(seeds) == 10
    assert simple.likely == pytest.approx(100 * (prompt / 4 + 50))
    assert (simple.low, simple.high) == (pytest.approx(100 * (prompt / 5 + 25)), pytest.approx(100 * (prompt / 3 + 100)))
    full = amounts.generated(plan(repo, GENERATE + "    pipeline: full\n").step("generate"))
    assert full is not None
    assert full.likely == pytest.approx(3 * simple.likely)


def test_own_generation_pipeline(repo: Path) -> None:
    simple = amounts.generated(plan(repo, GENERATE).step("generate"))
    own = amounts.generated(plan(repo, GENERATE + "    pipeline: specs/generation/two-questions.yaml\n").step("generate"))
    assert simple is not None
    assert own is not None
    assert own.likely == pytest.approx(2 * simple.likely)


def test_training_on_generated_pairs(repo: Path) -> None:
    found = plan(repo, GENERATE + "  train: {}\n")
    tokens = amounts.trained(found, found.step("train"))
    assert tokens is not None
    assert tokens.likely == pytest.approx(0.7 * 100 * (50 + amounts.QUESTION_TOKENS))
    assert amounts.longest_sample(found, found.step("train")) == 100 + 2 * 40 + amounts.QUESTION_TOKENS


@pytest.mark.parametrize(("sampling_size", "rows"), [("1.0", 2.0), ("0.5", 1.0), ("6", 6.0)])
def test_training_on_a_file_of_the_repository(repo: Path, sampling_size: str, rows: float) -> None:
    row = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    (repo / "specs" / "two.jsonl").write_text(row * 2)
    data = f"  data: {{datasets: {{two: {{location: specs/two.jsonl, sampling_size: {sampling_size}}}}}}}\n"
    found = plan(repo, data + "  train: {}\n")
    tokens = amounts.trained(found, found.step("train"))
    assert tokens is not None
    assert tokens.likely == pytest.approx(rows * len(row) / 4)
    assert amounts.longest_sample(found, found.step("train")) is None


def test_what_is_not_at_hand_is_not_invented(repo: Path) -> None:
    data = '  data: {datasets: {far: {location: "hf://datasets/a/b@12fd25f77366fa6b3b4b768ec3050bf629380bac/c.jsonl"}}}\n'
    found = plan(repo, data + "  train: {}\n")
    assert amounts.trained(found, found.step("train")) is None
    git = '  taxonomy: {git: {repository: "https://example.com/t", commit: 12fd25f77366fa6b3b4b768ec3050bf629380bac}}\n'
    fetched = plan(repo, git + GENERATE.partition("\n")[2])
    assert amounts.generated(fetched.step("generate")) is None


def test_held_out_questions(repo: Path) -> None:
    found = plan(repo, GENERATE + "  evaluate: {candidates: [base], suites: [{suite: held_out, max_new_tokens: 40}]}\n")
    tokens = amounts.asked(found.step("evaluate-base"))
    pairs = [pair for leaf in _leaves(found) for seed in leaf["seed_examples"] for pair in seed["questions_and_answers"]]
    text = sum(len(pair["question"]) + len(pair["answer"]) for pair in pairs)
    assert tokens is not None
    assert tokens.likely == pytest.approx(text / 4 + len(pairs) * 20)


def _leaves(found: Plan) -> list[dict[str, list[dict[str, list[dict[str, str]]]]]]:
    documents = found.steps[0].inputs["taxonomy"].documents  # type: ignore[union-attr] # read from the repository
    return list((documents or {}).values())
