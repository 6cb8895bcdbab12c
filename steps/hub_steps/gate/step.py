"""The gate step: evaluations in, `gates.json` out; fails, naming every gate that is not passed.

Each gate looks at one metric of the tuned model, beside the base model's or that of the published version.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from hub_steps.contract import BadRequestError, StepError, message
from hub_steps.evaluate.compare import lower_is_better, shared_values, value
from hub_steps.evaluate.report import Evaluation, read_evaluation
from hub_steps.gate.report import GATES_FILE, GateResult, GatesReport
from hub_steps.publish.target import published_evaluations, target
from hub_steps.workspace import Outcome

if TYPE_CHECKING:
    from hub_steps.parameters import Gate, GateParameters
    from hub_steps.workspace import Workspace

Published = dict[str, Evaluation]
"""The evaluations of the published version, by the suite's name."""
_NAMES = {"base": "base model", "published": "published version"}


def main(workspace: Workspace, parameters: GateParameters) -> Outcome:
    """Check every gate.

    Raises StepError if one is not passed, and BadRequestError if what it compares with is not given.
    """
    published = _published(workspace, parameters)
    results = tuple(_check(gate, workspace, published) for gate in parameters.gates)
    for result in results:
        message(f"{'passed' if result.passed else 'not passed'}: {result.told}")
    failed = [result.told for result in results if not result.passed]
    report = GatesReport(gates=results)
    workspace.path(GATES_FILE).write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if failed:
        raise StepError(f"{len(failed)} of {_gates(len(results))} not passed: {'; '.join(failed)}")
    return Outcome(f"{_gates(len(results))} passed", {"passed": len(results)})


def _gates(number: int) -> str:
    return f"{number} gate{'s' if number > 1 else ''}"


def _published(workspace: Workspace, parameters: GateParameters) -> Published | None:
    """Return what the published version was measured with; None if no gate asks for it, or nothing is published."""
    if not any(gate.over == "published" and gate.min_improvement is not None for gate in parameters.gates):
        return None
    if parameters.published is None:
        raise BadRequestError("bad request: a gate compares with the published version, and nothing says where that is")
    return published_evaluations(target(parameters.published, workspace.request))


def _check(gate: Gate, workspace: Workspace, published: Published | None) -> GateResult:
    suite, _, metric = gate.metric.partition(".")
    candidate = read_evaluation(workspace.input_path(f"candidate.{suite}"))
    figure = _value(candidate, metric, gate)
    asked, held = [], [figure is not None]
    if gate.min is not None:
        asked.append(f"at least {gate.min:g}")
        held.append(figure is not None and figure >= gate.min)
    if gate.max is not None:
        asked.append(f"at most {gate.max:g}")
        held.append(figure is not None and figure <= gate.max)
    result = GateResult(gate=gate, value=figure, passed=all(held), told=f"{gate.metric} is {_shown(figure)}")
    if gate.min_improvement is not None:
        asked.append(f"an improvement of at least {gate.min_improvement:g} over the {_NAMES[gate.over]}")
        if gate.over == "published" and published is None:
            result = result.model_copy(update={"told": f"{result.told} (nothing is published yet)"})
        else:
            result = _compared(result, candidate, _reference(gate, workspace, published or {}))
    return result.model_copy(update={"told": f"{result.told}; wanted: {' and '.join(asked)}"})


def _reference(gate: Gate, workspace: Workspace, published: Published) -> Evaluation | None:
    suite = gate.metric.partition(".")[0]
    return published.get(suite) if gate.over == "published" else read_evaluation(workspace.input_path(f"base.{suite}"))


def _compared(result: GateResult, candidate: Evaluation, reference: Evaluation | None) -> GateResult:
    """Return the result with the improvement that the gate asks for."""
    gate, metric = result.gate, result.gate.metric.partition(".")[2]
    if reference is None:
        told = f"{result.told} (the published version was not measured with this suite: publish once without this gate)"
        return result.model_copy(update={"passed": False, "told": told})
    if gate.over == "published" and reference.model == candidate.model:
        # Otherwise a pipeline that runs again, with nothing changed, would have to be better than itself.
        return result.model_copy(update={"told": f"{result.told} (it is the published version)"})
    before, after, note = _pair(reference, candidate, metric)
    gain = None if before is None or after is None else before - after
    if gain is not None and not lower_is_better(metric, candidate):
        gain = -gain
    passed = result.passed and gain is not None and gain >= (gate.min_improvement or 0.0)
    told = f"{result.told} ({_NAMES[gate.over]}: {_shown(before)}{note})"
    return result.model_copy(update={"passed": passed, "reference": before, "compared": after, "told": told})


def _pair(reference: Evaluation, candidate: Evaluation, metric: str) -> tuple[float | None, float | None, str]:
    """Return the metric of both, on the questions that they share, and what there is to say of that."""
    try:
        shared = shared_values(reference, candidate, metric)
        if shared is None:
            return value(reference, metric), value(candidate, metric), ", on other questions"
    except LookupError:
        return None, value(candidate, metric), ", which has no such metric"
    same = reference.overall.questions == candidate.overall.questions
    return *shared, "" if same else f"; {_shown(shared[1])} on the questions that both were asked"


def _value(evaluation: Evaluation, metric: str, gate: Gate) -> float | None:
    try:
        return value(evaluation, metric)
    except LookupError:
        near = difflib.get_close_matches(metric, evaluation.metrics, n=1)
        known = ", ".join(near or evaluation.metrics[:10])
        raise BadRequestError(
            f"the gate '{gate.metric}' asks for a metric that its suite does not have; it has: {known}"
        ) from None


def _shown(figure: float | None) -> str:
    return "not a number" if figure is None else f"{figure:.6g}"
