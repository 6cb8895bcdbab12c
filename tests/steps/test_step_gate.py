"""The gate step: what passes, what does not, and what is said of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from steprun import IDENTITY

from hub_steps.contract import BadRequestError, Identity, Input, Request, StepError
from hub_steps.evaluate.report import Evaluation, Figures
from hub_steps.gate import step
from hub_steps.gate.report import GatesReport
from hub_steps.parameters import GateParameters
from hub_steps.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.workspace import Outcome


def evaluation(name: str = "held_out", questions: str = "q", model: str = "tuned", **groups: dict[str, float]) -> Evaluation:
    """An evaluation with given figures; without groups, only overall."""
    figures = {group: Figures(num_questions=10, values=values, questions=f"{questions}-{group}")
               for group, values in groups.items()}  # fmt: skip
    return Evaluation(suite=name, name=name, model=model, metrics=tuple(groups["overall"]), figures=figures)


def check(folder: Path, gates: list[dict[str, Any]], published: str | None = None, **given: Evaluation) -> Outcome:
    """Run the step with evaluations named `candidate__SUITE` and `base__SUITE`."""
    inputs = {}
    for name, found in given.items():
        path = folder / f"{name}.json"
        path.write_text(found.model_dump_json(exclude_none=True))
        inputs[name.replace("__", ".", 1)] = Input(uri=path.as_uri(), key=name)
    parameters = GateParameters.model_validate({"gates": gates, "published": published})
    request = Request(kind="gate", step="gate", key="k", parameters={}, inputs=inputs, output=(folder / "out").as_uri(),
                      publish_root=folder.as_uri(), identity=Identity(**IDENTITY))  # fmt: skip
    workspace = Workspace(request)
    workspace.open()
    return step.main(workspace, parameters)


def report(folder: Path) -> GatesReport:
    return GatesReport.model_validate_json((folder / "out.partial" / "gates.json").read_text())


TUNED = evaluation(overall={"nll": 2.0, "f1": 0.5})
BASE = evaluation(overall={"nll": 2.5, "f1": 0.6})


@pytest.mark.parametrize(
    ("gate", "passes"),
    [
        ({"metric": "held_out.f1", "min": 0.5}, True),
        ({"metric": "held_out.f1", "min": 0.51}, False),
        ({"metric": "held_out.f1", "max": 0.5}, True),
        ({"metric": "held_out.f1", "max": 0.49}, False),
        ({"metric": "held_out.f1", "min": 0.1, "max": 0.2}, False),
        ({"metric": "held_out.nll", "min_improvement": 0.5}, True),
        ({"metric": "held_out.nll", "min_improvement": 0.51}, False),
        ({"metric": "held_out.f1", "min_improvement": 0}, False),
        ({"metric": "held_out.f1", "min_improvement": -0.11}, True),
        ({"metric": "held_out.nll", "min_improvement": 0, "max": 1.9}, False),
    ],
)
def test_one_gate(gate: dict[str, Any], passes: bool, tmp_path: Path) -> None:
    if passes:
        assert check(tmp_path, [gate], candidate__held_out=TUNED, base__held_out=BASE).summary == "1 gate passed"
    else:
        with pytest.raises(StepError, match="1 of 1 gate not passed: "):
            check(tmp_path, [gate], candidate__held_out=TUNED, base__held_out=BASE)
    assert [result.passed for result in report(tmp_path).gates] == [passes]


def test_message_names_every_gate_that_is_not_passed(tmp_path: Path) -> None:
    gates = [
        {"metric": "held_out.f1", "min": 0.7, "min_improvement": 0.05},
        {"metric": "held_out.nll", "max": 2.2},
        {"metric": "held_out.nll", "min_improvement": 0.75},
    ]
    with pytest.raises(StepError) as caught:
        check(tmp_path, gates, candidate__held_out=TUNED, base__held_out=BASE)
    assert str(caught.value) == (
        "2 of 3 gates not passed: held_out.f1 is 0.5 (base model: 0.6); wanted: at least 0.7 and an improvement of at least "
        "0.05 over the base model; held_out.nll is 2 (base model: 2.5); wanted: an improvement of at least 0.75 over the "
        "base model"
    )
    assert [result.passed for result in report(tmp_path).gates] == [False, True, False]


def test_what_is_not_a_number_never_passes(tmp_path: Path) -> None:
    broken = evaluation(overall={"nll": math.nan, "f1": 0.5})
    gates = [{"metric": "held_out.nll", "max": 1e9}, {"metric": "held_out.nll", "min_improvement": -1e9}]
    with pytest.raises(StepError, match=r"2 of 2 gates not passed: held_out\.nll is not a number; wanted: at most 1e"):
        check(tmp_path, gates, candidate__held_out=broken, base__held_out=BASE)
    with pytest.raises(StepError, match=r"held_out.nll is 2 \(base model: not a number\)"):
        check(tmp_path, gates, candidate__held_out=TUNED, base__held_out=broken)


def test_metric_with_dots(tmp_path: Path) -> None:
    values = {"wiki.word_perplexity": 30.0, "arc_easy.acc": 0.4, "gsm.exact_match,strict-match": 0.2}
    tuned = evaluation("harness", overall=values, wiki={"word_perplexity": 30.0})
    base = evaluation("harness", overall=values | {"wiki.word_perplexity": 31.0}, wiki={"word_perplexity": 31.0})
    gates = [
        {"metric": "harness.wiki.word_perplexity", "min_improvement": 1},
        {"metric": "harness.arc_easy.acc", "min": 0.4},
        {"metric": "harness.gsm.exact_match,strict-match", "min": 0.2},
    ]
    assert check(tmp_path, gates, candidate__harness=tuned, base__harness=base).summary == "3 gates passed"


def test_metric_that_there_is_not(tmp_path: Path) -> None:
    wanted = r"the gate 'held_out.f2' asks for a metric that its suite does not have; it has: nll, f1"
    with pytest.raises(BadRequestError, match=wanted):
        check(tmp_path, [{"metric": "held_out.f2", "min": 0}], candidate__held_out=TUNED)
    with pytest.raises(BadRequestError, match=r"it has no input 'candidate\.other'"):
        check(tmp_path, [{"metric": "other.f1", "min": 0}], candidate__held_out=TUNED)


OVER = [{"metric": "held_out.f1", "min_improvement": 0.01, "over": "published"}]


def publish(folder: Path, **files: Evaluation | str) -> None:
    """Publish another model with these evaluations."""
    (folder / "models").mkdir()
    (folder / "models" / "provenance.json").write_text("{}")
    for name, found in files.items():
        text = found if isinstance(found, str) else found.model_copy(update={"model": "older"}).model_dump_json()
        (folder / "models" / f"{name.replace('__', '.')}.json").write_text(text)


def test_nothing_published_yet(tmp_path: Path) -> None:
    check(tmp_path, OVER, "models", candidate__held_out=TUNED)
    assert report(tmp_path).gates[0].told == (
        "held_out.f1 is 0.5 (nothing is published yet); wanted: an improvement of at least 0.01 over the published version"
    )
    with pytest.raises(StepError, match=r"held_out.f1 is 0.5 \(nothing is published yet\); wanted: at least 0.9 and"):
        check(tmp_path, [OVER[0] | {"min": 0.9}], "models", candidate__held_out=TUNED)


@pytest.mark.parametrize(("older", "passes"), [(0.49, True), (0.5, False), (math.nan, False)])
def test_published_version(older: float, passes: bool, tmp_path: Path) -> None:
    first = evaluation("mmlu", overall={"accuracy": 0.9})
    publish(tmp_path, evaluation=first, evaluation__held_out=evaluation(overall={"nll": 1.0, "f1": older}))
    if passes:
        check(tmp_path, OVER, (tmp_path / "models").as_uri(), candidate__held_out=TUNED)
    else:
        with pytest.raises(StepError, match=r"1 of 1 gate not passed: held_out.f1 is 0.5 \(published version: "):
            check(tmp_path, OVER, "models", candidate__held_out=TUNED)


def test_published_version_is_this_one(tmp_path: Path) -> None:
    publish(tmp_path, evaluation=TUNED)
    check(tmp_path, OVER, "models", candidate__held_out=TUNED.model_copy(update={"model": "older"}))
    assert "(it is the published version)" in report(tmp_path).gates[0].told


def test_published_version_was_asked_other_questions(tmp_path: Path) -> None:
    old = evaluation(overall={"f1": 0.6}, moon={"f1": 0.4}, sea={"f1": 0.8})
    new = evaluation(overall={"f1": 0.5}, moon={"f1": 0.5}, mars={"f1": 0.5})
    new = new.model_copy(update={"figures": new.figures | {"overall": new.overall.model_copy(update={"questions": "more"})}})
    publish(tmp_path, evaluation=old)
    check(tmp_path, OVER, "models", candidate__held_out=new)
    [gate] = report(tmp_path).gates
    assert (gate.value, gate.reference, gate.compared) == (0.5, 0.4, 0.5)
    assert "(published version: 0.4; 0.5 on the questions that both were asked)" in gate.told
    with pytest.raises(StepError, match=r"held_out.f1 is 0.5 \(published version: 0.6, on other questions\)"):
        check(tmp_path, OVER, "models", candidate__held_out=evaluation(questions="r", overall={"f1": 0.5}))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (
            evaluation("mmlu", overall={"accuracy": 0.9}),
            "the published version was not measured with this suite: publish once without this gate",
        ),
        (evaluation(overall={"nll": 1.0}), "published version: not a number, which has no such metric"),
        ("{}", "cannot read "),
    ],
)
def test_published_version_that_cannot_be_compared(found: Evaluation | str, wanted: str, tmp_path: Path) -> None:
    publish(tmp_path, evaluation=found)
    with pytest.raises(StepError, match=wanted):
        check(tmp_path, OVER, "models", candidate__held_out=TUNED)


@pytest.mark.parametrize(
    ("published", "wanted"),
    [
        (None, "bad request: a gate compares with the published version, and nothing says where that is"),
        ("gs://bucket/models", "this version of hubc cannot publish to gs:// yet"),
    ],
)
def test_published_version_that_is_nowhere(published: str | None, wanted: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequestError, match=wanted):
        check(tmp_path, OVER, published, candidate__held_out=TUNED)
