"""A plan as text, as JSON that its published schema describes, and as Markdown that nothing in a spec can break out of."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from example_plan import AT, ESTIMATE, SMALL, example, example_plan, step
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from hub_steps.markdown import block, code
from hubc.cli import main
from hubc.diagnostics import Diagnostic
from hubc.estimates.step import StepEstimate
from hubc.estimates.work import Device, Span, WorkEstimate
from hubc.plan import External, Plan, Reference
from hubc.plan_views.changes import Change
from hubc.plan_views.difference import Difference, StepDifference, all_new, difference
from hubc.plan_views.estimate_text import estimate_lines, headline
from hubc.plan_views.estimated import estimates_of
from hubc.plan_views.highlights import highlights
from hubc.plan_views.json import plan_json
from hubc.plan_views.markdown import MAX_CHARACTERS, plan_markdown
from hubc.plan_views.shown import Shown
from hubc.plan_views.text import plan_text
from hubc.plan_views.totals import totals
from hubc.plan_views.values import pair, short
from hubc.plan_views.variants import variant_text
from hubc.reuse import Decision
from hubc.spec.schema import schemas
from hubc.spec.sweep import Notification, Schedule
from hubc.workspace import load_plan, load_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_steps.contract import Kind

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HOSTILE = [
    "`", "``` \n```", "|", "\\|", "\\", "</code></details><script>alert(1)</script>", "<!--", "@octocat", "#1", "GH-1",
    "acme/repo#1", "[a](https://evil.example)", "![a](https://evil.example/x.png)", "https://evil.example",
    "www.evil.example", "a@evil.example", "**bold**", "\x1b[31m", "\u202e", '"]; click s0 "javascript:alert(1)"', "\n\n# h",
    "%%{init: {}}%%", "end", "$x$", ":smile:", "&lt;", "&#64;", " ", "",
]  # fmt: skip


def against() -> Difference:
    before = example_plan()
    changed = [step("train-learning-rate-2e-4", "train", replace(SMALL, nodes=1)), step("old", "mix")]
    kept = [item for item in before.steps if item.id not in ("train-learning-rate-2e-4", "publish")]
    return difference(replace(before, steps=(*kept, *changed)), example_plan(), "main", COMMIT)


def test_text(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "plan.txt", plan_text(example()) + "\n")
    golden(GOLDEN / "plan-against.txt", plan_text(example(against=against())) + "\n")


def test_text_where_only_the_cluster_knows(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "plan-cluster.txt", plan_text(Shown(example_plan(matrix=False), against=against())) + "\n")


def test_markdown(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "plan.md", plan_markdown(example(against=against())))
    golden(GOLDEN / "plan-cluster.md", plan_markdown(Shown(example_plan(matrix=False))))


def test_json(golden: Callable[[Path, str], None]) -> None:
    golden(GOLDEN / "plan.json", plan_json(example(against=against())) + "\n")


def test_every_step_is_reused() -> None:
    plan = example_plan()
    done = {item.id: Decision(item.id, "reuse", "unchanged since r", "r", "made", AT) for item in plan.steps}
    assert plan_text(Shown(plan, done)).endswith("\n\nTo run: nothing. To reuse: 5.")
    assert "To run: nothing. To reuse: 5.\n" in plan_markdown(Shown(plan, done))


def test_revision_without_a_plan_to_compare_with() -> None:
    shown = example(against=all_new(example_plan(), "main", COMMIT, "specs/tides.yaml did not exist at main"))
    said = "Compared with main (0123456789ab): all steps are new\n  specs/tides.yaml did not exist at main\n"
    assert said in plan_text(shown)
    assert said in plan_markdown(shown)
    found = json.loads(plan_json(shown))["against"]
    assert (found["digest"], {item["status"] for item in found["steps"]}) == (None, {"added"})


def test_same_plan_at_the_revision() -> None:
    same = difference(example_plan(), example_plan(), "main", COMMIT)
    assert {(item.status, item.other_output) for item in same.steps} == {("unchanged", False)}
    assert "Compared with main (0123456789ab): the same plan\n" in plan_text(example(against=same))


def test_colours_are_for_symbols_and_what_does_not_fit() -> None:
    small = replace(ESTIMATE, device=Device("h100", 16))
    shown = replace(example(), estimates={"evaluate-base": small})
    text = plan_text(shown, colour=True)
    for said in ("  \x1b[90m=\x1b[0m evaluate-base", "  \x1b[33m~\x1b[0m generate", "  \x1b[32m+\x1b[0m publish",
                 "\x1b[1;31mDOES NOT FIT\x1b[0m h100 (16 GiB)"):  # fmt: skip
        assert said in text
    assert re.sub("\x1b\\[[0-9;]*m", "", text) == plan_text(shown)


def test_words_for_a_process_and_for_next_to_nothing() -> None:
    work = WorkEstimate(Span(1, 2, 3), Span(0.001, 0.004, 0.02), Span.exactly(0.003), "EUR")
    assert estimate_lines(StepEstimate(ESTIMATE.memory, work)) == [
        "memory a process: 24.0 GiB likely (22.0 to 28.0)",
        "  parameters 20.0, activations 4.0",
        "tokens: 2 likely (1 to 3)",
        "device-hours: less than 0.01 likely (less than 0.01 to 0.02)",
        "cost: less than 0.01 EUR",
    ]


def test_totals_count_what_is_unknown() -> None:
    known, unknown = ESTIMATE, StepEstimate(work=WorkEstimate(most_device_hours=2.0, currency="EUR"))
    found = totals(Shown(example_plan(), {}, {"a": known, "b": unknown, "c": unknown}))
    assert found
    assert found.lines() == [
        "device-hours: 16 likely (8 to 32), and 2 steps unknown",
        "cost: 40.00 likely (20.00 to 80.00) EUR, and 2 steps unknown",
        "at most, by the time limits: 164 device-hours and 400.00 EUR, and 2 steps unknown",
    ]


def test_what_a_manifest_does_not_have_yet() -> None:
    schedule = Schedule.model_validate({"cron": "0 3 * * 1", "timezone": "UTC"})
    notify = Notification.model_validate({"url": "https://a.example.com/hook", "events": ["failed"]})
    plan = replace(example_plan(), schedule=schedule, notify=(notify,))
    cluster, local = plan_text(Shown(plan)), plan_text(replace(example(), plan=plan))
    assert "overlap: skip; not yet: this version's manifest is one run\n" in cluster
    assert "https://a.example.com/hook; not yet: this version's manifest tells nobody\n" in cluster
    assert "not yet" not in local


@pytest.mark.parametrize(
    ("kind", "parameters", "said"),
    [
        ("fetch", {"repository": "https://a.example/t", "commit": "4f8e2d1c6b5a49382716", "pull_request": 7},
         "https://a.example/t at 4f8e2d1c6b5a, pull_request 7"),
        ("mix", {"generated_sampling_size": 1.0, "datasets": {"skills": {"sampling_size": 5000}}},
         "generated_sampling_size 1.0, skills 5000"),
        ("generate", {"pipeline": "full", "samples_per_seed": 5,
                      "teacher": {"serve": None, "endpoint": {"model": "m", "url": "https://a.example/v1"}}},
         "pipeline full, samples_per_seed 5, teacher m at https://a.example/v1"),
        ("train", {"algorithm": "lora_sft", "num_epochs": 3, "learning_rate": 2e-4, "lora_r": 8, "max_seq_len": 512},
         "lora_sft, num_epochs 3, learning_rate 0.0002, lora_r 8, max_seq_len 512"),
        ("train", {"algorithm": "sft", "num_epochs": 3, "lora_r": 8}, "sft, num_epochs 3"),
        ("train", {"algorithm": "custom", "custom": {"script": "a.py", "arguments": ["-v"]}}, "custom a.py -v"),
        ("evaluate", {"suite": {"suite": "mmlu", "subjects": ["anatomy"], "limit": None}, "held_out_share": 0.5},
         'suite mmlu, subjects ["anatomy"]'),
        ("gate", {"gates": [{"metric": "held_out.f1", "min": 0.2, "max": None, "min_improvement": 0.05, "over": "base"},
                            {"metric": "held_out.nll", "min": None, "max": None, "min_improvement": 0.1, "over": "base"}]},
         "held_out.f1 >= 0.2, held_out.f1 >= +0.05 over base, held_out.nll <= -0.1 over base"),
        ("publish", {"location": "published/a", "huggingface": {"repository": "a/b"}}, "to published/a, Hugging Face a/b"),
        ("publish", {"seed": 42}, "seed 42"),
    ],
)  # fmt: skip
def test_highlights(kind: Kind, parameters: dict[str, Any], said: str) -> None:
    assert ", ".join(highlights(replace(step("s", kind), parameters=parameters))) == said


def test_long_settings_take_several_lines() -> None:
    gates = [{"metric": f"suite.metric_{number}", "min": 0.5, "max": None, "min_improvement": None, "over": "base"}
             for number in range(6)]  # fmt: skip
    gate = replace(step("gate", "gate"), parameters={"gates": gates})
    lines = plan_text(Shown(Plan("p", "", "c", "0", (gate,)))).split("\n")
    start = next(at for at, line in enumerate(lines) if line.startswith("      settings   suite.metric_0 >= 0.5, "))
    assert lines[start].endswith(" >= 0.5,")
    assert lines[start + 1].endswith("           suite.metric_4 >= 0.5, suite.metric_5 >= 0.5")


def test_numbers_of_one() -> None:
    plan = Plan("one", "", "local", "0", (step("only", "mix"),), variants={"a": {"x.y": 1}})
    shown = plan_text(Shown(plan))
    assert shown.startswith("one on local: 1 step, plan ")
    assert "\n1 variant\n" in shown


def test_same_ends_of_swept_fields_are_told_apart() -> None:
    values = {name: {"train.seed": seed, "mix.seed": 1, "train.lora_r": 8} for name, seed in (("a", 1), ("b", 2))}
    plan = Plan("p", "", "local", "0", (step("s", "train", variants=("a",)), step("t", "mix", variants=("a", "b"))), values)
    assert variant_text(plan, plan.steps[0]) == "for train.seed 1, mix.seed 1, lora_r 8"
    assert variant_text(plan, plan.steps[1]) == ""


def test_name_of_a_pipeline_for_its_file(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "quickstart"]) == 1
    assert "= help: did you mean specs/pipelines/quickstart.yaml?\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "(not set)"),
        (True, "true"),
        (5e-4, "0.0005"),
        ("text", "text"),
        ("5", '"5"'),
        ("", '""'),
        (" a ", '" a "'),
        (["a", {"b": 1}], '["a", {"b": 1}]'),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m"),
        ("sha256:" + "0123456789abcdef" * 4, "sha256:0123456789ab…"),
        ("hf://a/b@" + "0123456789" * 4, "hf://a/b@012345678901…"),
        ("x" * 96, "x" * 96),
        ("x" * 60 + "y" * 60, f"{'x' * 48}…{'y' * 48} (120 characters)"),
    ],
)
def test_short_values(value: Any, shown: str) -> None:
    assert short(value) == shown


def test_two_long_values_show_where_they_differ() -> None:
    old, new = pair("x" * 5000 + "old" + "x" * 5000, "x" * 5000 + "new" + "x" * 5000)
    assert ("old" in old, "new" in new) == (True, True)
    assert old.endswith("… (10,003 characters)")
    assert pair("0" * 63 + "1", "0" * 63 + "2")[0] != pair("0" * 63 + "1", "0" * 63 + "2")[1]


def validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(schemas()["plan.schema.json"]))


def records(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of the objects whose keys are fixed: not parameters, nor what estimates and variants hold."""
    if isinstance(data, dict):
        if path and path[-1] not in ("inputs",):
            yield path
        for key, value in data.items():
            if key not in ("parameters", "estimate", "variants", "before", "after"):
                yield from records(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from records(value, (*path, index))


def at(data: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


@pytest.mark.parametrize("shown", [example(), example(against=against()), Shown(example_plan(matrix=False))])
def test_output_satisfies_the_schema(shown: Shown) -> None:
    assert [error.message for error in validator().iter_errors(json.loads(plan_json(shown)))] == []


@pytest.mark.parametrize("spec", sorted(path.name for path in (ROOT / "specs" / "pipelines").glob("*.yaml")))
def test_plans_of_real_specs_satisfy_the_schema(repo: Path, spec: str, capsys: pytest.CaptureFixture[str]) -> None:
    if main(["plan", f"specs/pipelines/{spec}", "--platform", "example-cluster", "--format", "json"]):
        pytest.skip(f"there is no plan of it: {capsys.readouterr().err}")
    assert [error.message for error in validator().iter_errors(json.loads(capsys.readouterr().out))] == []
    assert main(["plan", f"specs/pipelines/{spec}", "--platform", "example-cluster", "--format", "markdown"]) == 0
    assert len(capsys.readouterr().out) <= MAX_CHARACTERS


def test_estimates_of_a_real_plan(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBC_CACHE", str(repo / "cache"))
    platform = load_platform("example-cluster", repo)
    plan = load_plan(Path("specs/pipelines/quantized.yaml"), platform)
    known = estimates_of(plan, platform, repo / "specs" / "models" / "smollm2-135m-instruct.json")["train"]
    assert headline(known).endswith("; fits h100 (80 GiB)")
    assert "at most, by the time limit: 4 device-hours and 10.00 EUR" in estimate_lines(known)
    unknown = estimates_of(plan, platform, repo / "specs" / "models" / "nothing.json")["train"]
    assert unknown.memory is None
    assert unknown.reasons == (f"{repo}/specs/models/nothing.json is not a file",)
    together = totals(Shown(plan, {}, {"train": unknown}))
    assert together
    assert (together.steps, together.most_cost, together.cost) == (("train",), 10, None)


def test_schema_refuses_what_is_never_written() -> None:
    good, check = json.loads(plan_json(example(against=against()))), validator()
    places = [(), *records(good)]
    assert len(places) > 40
    for path in places:
        more = deepcopy(good)
        at(more, path)["surprise"] = 1
        assert not check.is_valid(more), path
        for key in at(good, path):
            less = deepcopy(good)
            del at(less, path)[key]
            assert not check.is_valid(less), (path, key)
            if key not in ("before", "after"):
                other = deepcopy(good)
                at(other, path)[key] = [1.5]
                assert not check.is_valid(other), (path, key)


def hostile(text: str) -> Shown:
    """Return a plan that has a text wherever others may have one."""
    inputs = {"in": External(key=text, uri=text), "documents": External(key=text, documents={text: text})}
    first = replace(step(text, "train", **inputs), resources=replace(SMALL, accelerators=1, accelerator=text))
    second = step(f"{text}2", "train", data=Reference(text, text))
    warning = Diagnostic(text, 1, 1, "unpinned-revision", text, text)
    plan = Plan(text, text, text, text, (first, second), variants={text: {text: text}}, warnings=(warning,))
    changes = (Change("parameter", text, text, f"{text}2"), Change("input", text, text, None, "removed"))
    decisions = {item.id: Decision(item.id, "run", text, text, text, AT, changes[:number]) for number, item in
                 enumerate(plan.steps)}  # fmt: skip
    steps = (StepDifference(text, "changed", changes, other_output=True),)
    return Shown(plan, decisions, {text: StepEstimate(reasons=(text,))}, Difference(text, text, text, text, changes, steps))


@pytest.mark.parametrize("text", [*HOSTILE, " ".join(HOSTILE)])
def test_markdown_takes_nothing_for_markup(text: str) -> None:
    markdown = plan_markdown(hostile(text))
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    allowed = {"<details>\n<summary>Why steps run again</summary>\n", "<details>\n<summary>Variants</summary>\n",
               "<details>\n<summary>Differences, step by step</summary>\n", "</details>\n", "<br>"}  # fmt: skip
    assert {token.content for token in flat if token.type in ("html_block", "html_inline")} <= allowed
    assert {"link_open", "image", "em_open", "blockquote_open"}.isdisjoint(token.type for token in flat)
    assert [token.type for token in tokens].count("heading_open") == 1
    assert [token.info for token in tokens if token.type == "fence"] == ["text", "text", "text", "mermaid", "text", "text"]
    assert [token.type for token in tokens].count("td_open") == 10
    # Outside of code there are only words of hubc: nothing that GitHub turns into a mention, a reference or a link.
    words = "".join(token.content for token in flat if token.type == "text")
    assert not set(words) & set("@#/\\`<>&[]$\x1b\u202e\n"), words
    graph = next(token.content for token in tokens if token.info == "mermaid")
    assert all(part.isascii() for part in graph)
    assert graph.count('"') == 4
    assert "%" not in graph


@pytest.mark.parametrize("text", HOSTILE)
def test_text_prints_nothing_that_steers_a_terminal(text: str) -> None:
    shown = plan_text(hostile(text))
    assert all(line.isprintable() for line in shown.split("\n"))
    heads = [line for line in shown.split("\n") if line.startswith(("  + ", "  ~ ", "  = "))]
    assert len(heads) == 3


def test_code_shows_what_it_was_given() -> None:
    for text in filter(str.strip, HOSTILE):
        tokens = MarkdownIt("commonmark").enable("table").parse(f"| a |\n|---|\n| {code(text)} |\n")
        shown = next(child for token in tokens for child in token.children or () if child.type == "code_inline").content
        assert shown.strip() == "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text).strip()


def test_markdown_is_bounded() -> None:
    steps = [step(f"train-{'long-' * 7}{number}", "train") for number in range(1000)]
    plan = Plan("p" * 40, "", "local", "0", tuple(steps), variants={item.id: {"a.b": item.id} for item in steps})
    changes = tuple(Change("parameter", f"p{number}", "x" * 500, "`" * 500) for number in range(5))
    decisions = {item.id: Decision(item.id, "run", "why", "r", "", AT, changes) for item in steps}
    shown = Shown(plan, decisions, {}, all_new(plan, "m", COMMIT, "x" * 90_000))
    markdown = plan_markdown(shown)
    assert len(markdown) <= MAX_CHARACTERS
    assert "The graph of 1000 steps is too large to draw." in markdown
    rows = markdown.count("\n| `train-")
    assert f"\n{1000 - rows} more steps left out: `{steps[rows].id}`, " in markdown
    assert " more\n" in markdown
    assert "more lines; all of them: hubc plan" in markdown


def test_block_cannot_be_ended_by_its_lines() -> None:
    assert block(["````", "a"], 100) == "`````text\n````\na\n`````"
