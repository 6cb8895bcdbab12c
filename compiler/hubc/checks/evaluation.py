"""Rules over what is measured, and what the figures must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.parameters.evaluate import METRICS, MMLU_SUBJECTS
from hubc.checks.view import Finding
from hubc.diagnostics import did_you_mean, nearest
from hubc.graph import suite_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub_steps.parameters import Gate, Suite
    from hubc.checks.view import View
    from hubc.source import Location

RULE = "gate-metric"
BOUNDS = {"f1": (0.0, 1.0), "accuracy": (0.0, 1.0), "score": (1.0, 10.0)}
"""Lowest and highest value of metrics."""


def subjects(view: View) -> Iterator[Finding]:
    """`invalid-value`: the harness would refuse the subject, after the training was paid for."""
    for number, suite in enumerate(view.spec.evaluate.suites if view.spec.evaluate else ()):
        for position, name in enumerate((suite.subjects or ()) if suite.suite == "mmlu" else ()):
            if name not in MMLU_SUBJECTS:
                place: Location = ("spec", "evaluate", "suites", number, "subjects", position)
                near = nearest(name, MMLU_SUBJECTS)
                remedy = f"did you mean '{near}'?" if near else "leave 'subjects' out for all 57, or name some: 'anatomy'"
                yield Finding(place, "invalid-value", f"MMLU has no subject '{name}'", remedy)


def gates(view: View) -> Iterator[Finding]:
    """`gate-metric`: a gate on what nobody measures would stop the model after everything was paid for."""
    evaluate = view.spec.evaluate
    if evaluate is None or not evaluate.gates:
        return
    if "tuned" not in evaluate.candidates or view.spec.train is None:
        why = "'tuned' is not among the candidates" if view.spec.train else "nothing is trained"
        remedy = "add 'tuned' to 'candidates'" if view.spec.train else "add 'train', or remove the gates"
        yield Finding(("spec", "evaluate", "gates"), RULE, f"gates measure the tuned model, and {why}", remedy, at_key=True)
    suites = {suite_name(suite): suite for suite in evaluate.suites}
    for number, gate in enumerate(evaluate.gates):
        place: Location = ("spec", "evaluate", "gates", number)
        if fault := _metric(gate, suites):
            yield Finding((*place, "metric"), RULE, *fault)
        else:
            yield from _values(gate, place)
        yield from _comparison(view, gate, place)


def _metric(gate: Gate, suites: dict[str, Suite]) -> tuple[str, str] | None:
    """Return why a gate's metric is not there, and the remedy."""
    name, _, metric = gate.metric.partition(".")
    if (suite := suites.get(name)) is None:
        return f"there is no suite '{name}'", did_you_mean(name, suites)
    if suite.suite != "lm_eval":
        known = METRICS[suite.suite]
        group, _, last = metric.rpartition(".")
        if suite.suite == "mmlu" and group and last in known:
            if suite.subjects is None or group in suite.subjects:
                return None
            return f"the suite '{name}' has no subject '{group}'", did_you_mean(group, suite.subjects)
        return None if metric in known else (f"the suite '{name}' has no metric '{metric}'", did_you_mean(metric, known))
    task = next((task for task in suite.tasks if metric.startswith((f"{task}.", f"{task}_"))), None)
    if metric in suite.tasks:
        return f"'{gate.metric}' names a task without its metric", f"write '{gate.metric}.METRIC', as in '{gate.metric}.acc'"
    if task is None:
        remedy = did_you_mean(metric.partition(".")[0], suite.tasks)
        return f"the suite '{name}' has no task '{metric.partition('.')[0]}'", remedy
    return None


def _values(gate: Gate, place: Location) -> Iterator[Finding]:
    """Yield bounds that no figure can keep."""
    lowest, highest = BOUNDS.get(gate.metric.rpartition(".")[2], (None, None))
    if gate.min is not None and highest is not None and gate.min > highest:
        remedy = f"write a share of 1, such as {gate.min / 100:g}" if highest == 1 else f"write at most {highest:g}"
        yield Finding((*place, "min"), RULE, f"'{gate.metric}' is at most {highest:g}, so min {gate.min:g} is never reached",
                      remedy)  # fmt: skip
    if gate.max is not None and lowest is not None and gate.max < lowest:
        yield Finding((*place, "max"), RULE, f"'{gate.metric}' is at least {lowest:g}, so max {gate.max:g} is never kept",
                      f"write at least {lowest:g}")  # fmt: skip
    if gate.min is not None and gate.max is not None and gate.min > gate.max:
        yield Finding((*place, "min"), RULE, f"min {gate.min:g} is above max {gate.max:g}, so nothing passes", "swap them")


def _comparison(view: View, gate: Gate, place: Location) -> Iterator[Finding]:
    """Yield what an improvement is measured against and is not there."""
    if gate.min_improvement is None:
        if "over" in gate.model_fields_set:
            yield Finding((*place, "over"), "ineffective-parameter",
                          "'over' has no effect: the gate asks for no improvement",
                          "add 'min_improvement', or remove it", at_key=True)  # fmt: skip
    elif gate.over == "base" and view.spec.evaluate and "base" not in view.spec.evaluate.candidates:
        yield Finding((*place, "min_improvement"), RULE, "the base model is not measured, so nothing can improve over it",
                      "add 'base' to 'candidates', or use 'min'")  # fmt: skip
    elif gate.over == "published" and (view.spec.publish is None or view.spec.publish.location is None):
        yield Finding((*place, "over"), RULE, "there is no 'publish.location' to compare with",
                      "add it, or write 'over: base'")  # fmt: skip
