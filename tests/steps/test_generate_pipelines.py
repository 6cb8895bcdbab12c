"""Generation in stages: the built-in pipelines, files of one's own, and files that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import animals
import pytest
from pydantic import ValidationError
from steprun import result, rows, run, write_request
from teacher import Answer, Teacher, completion, teaching

from hub_steps.generate.built_in import FULL, SIMPLE
from hub_steps.generation import GenerationPipeline

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = {"taxonomy": animals.TAXONOMY}
OTTER, MARMOT, SWIFT, TORTOISE, BEE = animals.CONTEXTS


def asked_about(text: str) -> str:
    """Return the context that a prompt asks about: examples stand before it."""
    return max(animals.CONTEXTS, key=text.rfind)


def test_full_goes_through_its_stages(tmp_path: Path) -> None:
    def behaviour(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
        system, asked = (turn["content"] for turn in body["messages"])
        context = asked_about(asked)
        first, second = context.rstrip(".").split(". ")
        if system.startswith("List the facts"):
            return completion("x", "length") if context == SWIFT else completion(f"1. {first}.\n\n2) {second}.\n")
        if system.startswith("Write one question"):
            assert asked.split("Fact: ")[1] in (f"{first}.", f"{second}.")
            assert asked.count("Question: ") == 3 and asked.count("Text: ") == 4
            return completion("" if context == BEE else animals.good_reply(context))
        assert asked == f"Text: {context}\n\n{animals.good_reply(context)}"
        return completion("Rejected." if context == MARMOT else animals.good_reply(context) + "\n")

    with teaching(behaviour) as server:
        done = run("generate", write_request(tmp_path, "generate", server.parameters(pipeline="full"), INPUTS))
    assert (done.code, done.stderr) == (0, "")
    assert len(server.bodies) == 5 + 4 + 3
    assert [body["temperature"] for body in server.bodies].count(0.0) == 3
    found = result(tmp_path / "out")["metrics"]
    assert found == {"requests": 5, "kept": 2, "dropped": {"cut_off_at_facts": 1, "empty_at_pair": 1, "rejected": 1}}
    assert [row["metadata"]["seed_example"] for row in rows(tmp_path / "out" / "train.jsonl")] == [0, 3]
    assert "stage 'check': 3 requests" in done.messages


def test_one_line_of_many_is_chosen_by_the_seed(tmp_path: Path) -> None:
    seen: list[str] = []

    def behaviour(server: Teacher, body: dict[str, Any], handler: object) -> Answer:
        asked = body["messages"][-1]["content"]
        if "Line: " not in asked:
            return completion("\n".join(f"- line {number}" for number in range(50)))
        seen.append(asked)
        return completion(animals.good_reply(asked_about(asked)))

    stages = [{"name": "lines", "prompt": "$context", "keep": "one_line"},
              {"name": "pair", "prompt": "$context Line: $lines. Cost: $$5"}]  # fmt: skip
    own = {"pipeline": {"key": "8" * 64, "documents": {"version": 1, "stages": stages}}}
    for attempt in ("a", "b"):
        with teaching(behaviour) as server:
            parameters = server.parameters(pipeline="specs/own.yaml", samples_per_seed=2)
            done = run("generate", write_request(tmp_path / attempt, "generate", parameters, INPUTS | own))
        assert done.code == 0, done.stderr
    assert sorted(seen[:10]) == sorted(seen[10:])
    assert len(set(seen)) == 10
    assert all(prompt.endswith(". Cost: $5") for prompt in seen)


def stage(name: str, prompt: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "prompt": prompt, **more}


WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "unknown": ([stage("a", "$contxt")], "stage 'a': '$contxt' is not known there; it can use: $context, $examples"),
    "later": ([stage("a", "$b $context"), stage("b", "x")], "stage 'a': '$b' is not known there"),
    "itself": ([stage("a", "$a $context")], "stage 'a': '$a' is not known there"),
    "twice": ([stage("a", "$context"), stage("a", "$a")], "the name 'a' is taken twice"),
    "reserved": ([stage("context", "$context")], "the name 'context' is taken twice"),
    "no-context": ([stage("a", "Write something.")], "no prompt uses '$context'"),
    "dollar": ([stage("a", "$context for 5$")], "a '$' must stand before the name of a placeholder"),
    "turns": ([stage("a", "$context"), stage("b", "$context $a", examples_as_turns=True)], "stage 'b': with 'examples_as_t"),
    "none": ([], "stages: Tuple should have at least 1 item"),
    "key": ([stage("a", "$context", promt="x")], "stages.0.promt: Extra inputs are not permitted"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_pipelines(name: str) -> None:
    from hub_steps.contract import faults

    stages, reason = WRONG[name]
    with pytest.raises(ValidationError) as caught:
        GenerationPipeline.model_validate({"version": 1, "stages": stages})
    assert reason in faults(caught.value)


def test_wrong_pipeline_is_a_bad_request(tmp_path: Path) -> None:
    own = {"pipeline": {"key": "8" * 64, "documents": {"version": 1, "stages": WRONG["twice"][0]}}}
    with teaching(lambda server, body, handler: completion("x")) as server:
        parameters = server.parameters(pipeline="specs/own.yaml")
        done = run("generate", write_request(tmp_path, "generate", parameters, INPUTS | own))
    assert (done.code, done.error) == (2, "bad request: specs/own.yaml: the name 'a' is taken twice")
    assert server.bodies == []


@pytest.mark.parametrize("pipeline", [SIMPLE, FULL])
def test_built_in_pipelines_are_as_a_file_could_be(pipeline: GenerationPipeline) -> None:
    assert GenerationPipeline.model_validate(pipeline.model_dump(mode="json")) == pipeline
