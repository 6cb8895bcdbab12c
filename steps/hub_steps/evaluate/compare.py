"""A model beside its baseline: what improved, what got worse, what stayed and what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub_steps.evaluate.metrics import is_lower_better, verdict
from hub_steps.evaluate.report import OVERALL, Change, Comparison, GroupComparison, grouped
from hub_steps.parameters.evaluate import HeldOut

if TYPE_CHECKING:
    from hub_steps.evaluate.report import Answer, Evaluation, Figures
    from hub_steps.parameters.evaluate import Suite


def compare(base: Evaluation, tuned: Evaluation, suite: Suite) -> Comparison:
    """Return the two side by side: each group that both have and, if they were asked the same, overall.

    Raises ValueError if they were measured with different suites or on different questions.
    """
    if (base.suite, base.name) != (tuned.suite, tuned.name):
        raise ValueError(f"the baseline was measured with the suite '{base.name}', not '{tuned.name}'")
    shared = [name for name in tuned.figures if name in base.figures and name != OVERALL]
    if any(base.figures[name].questions != tuned.figures[name].questions for name in shared):
        raise ValueError("the baseline answered other questions")
    if base.overall.questions == tuned.overall.questions:
        shared.append(OVERALL)
    before, after = grouped(base.answers), grouped(tuned.answers)
    groups = {
        name: _compare((base.figures[name], tuned.figures[name]), (before.get(name), after.get(name)), tuned, suite)
        for name in shared
    }
    return Comparison(
        groups=groups,
        improvements=_having("improved", groups, tuned),
        regressions=_having("regressed", groups, tuned),
        no_changes=_having("no change", groups, tuned),
        new=tuple(name for name in tuned.figures if name not in base.figures),
    )


def value(evaluation: Evaluation, metric: str) -> float | None:
    """Return one metric overall or, as `GROUP.METRIC`, of one group.

    Raises LookupError if the evaluation does not have it.
    """
    if metric in evaluation.overall.values:
        return evaluation.overall.values[metric]
    group, _, name = metric.rpartition(".")
    return evaluation.figures[group].values[name]


def shared_values(base: Evaluation, tuned: Evaluation, metric: str) -> tuple[float | None, float | None] | None:
    """Return one metric of both models on what both were asked, or None if that is nothing.

    When they were asked different questions, as before and after a leaf was added, only groups with the same questions
    count, each by the number of its questions.
    """
    if base.overall.questions == tuned.overall.questions:
        return value(base, metric), value(tuned, metric)
    same = {name for name, figures in tuned.figures.items()
            if name in base.figures and base.figures[name].questions == figures.questions}  # fmt: skip
    group, _, name = metric.rpartition(".")
    groups, name = ([group], name) if group in tuned.figures else (list(tuned.figures), metric)
    groups = [group for group in groups if group in same and name in tuned.figures[group].values]
    return (_weighed(base, groups, name), _weighed(tuned, groups, name)) if groups else None


def _weighed(evaluation: Evaluation, groups: list[str], metric: str) -> float | None:
    figures = [evaluation.figures[name] for name in groups]
    known = [(row.values[metric] or 0.0, row.num_questions) for row in figures if row.values.get(metric) is not None]
    if len(known) < len(figures):
        return None
    return sum(figure * count for figure, count in known) / sum(count for _, count in known)


def _compare(
    figures: tuple[Figures, Figures],
    answers: tuple[list[Answer] | None, list[Answer] | None],
    tuned: Evaluation,
    suite: Suite,
) -> GroupComparison:
    old, new = figures
    changes = {
        metric: Change(base=old.values[metric], tuned=figure, verdict=verdict(
            old.values[metric], figure, _least(suite, metric), lower_is_better=lower_is_better(metric, tuned)))
        for metric, figure in new.values.items() if metric in old.values
    }  # fmt: skip
    improved, regressed = _counts(answers, tuned.metrics[0], suite)
    return GroupComparison(num_questions=new.num_questions, changes=changes, num_improved=improved, num_regressed=regressed)


def _counts(
    answers: tuple[list[Answer] | None, list[Answer] | None], metric: str, suite: Suite
) -> tuple[int | None, int | None]:
    old, new = answers
    if not old or not new:
        return None, None
    verdicts = [
        verdict(before.scores[metric], after.scores[metric], _least(suite, metric), lower_is_better=is_lower_better(metric))
        for before, after in zip(old, new, strict=True)
        if metric in before.scores and metric in after.scores
    ]
    return verdicts.count("improved"), verdicts.count("regressed")


def _having(word: str, groups: dict[str, GroupComparison], tuned: Evaluation) -> tuple[str, ...]:
    """Return the groups whose first metric has this verdict."""
    named = {name: row.changes for name, row in groups.items() if name != OVERALL and row.changes}
    return tuple(
        name
        for name, changes in named.items()
        if changes.get(tuned.metrics[0], next(iter(changes.values()))).verdict == word
    )


def lower_is_better(metric: str, evaluation: Evaluation) -> bool:
    """Tell whether less of a metric is better, by what the suite said of it or by its name."""
    own = {name.rpartition(".")[2] for name in evaluation.lower_is_better}
    return metric in evaluation.lower_is_better or metric in own or is_lower_better(metric)


def _least(suite: Suite, metric: str) -> float:
    if isinstance(suite, HeldOut):
        return suite.min_nll_change if metric == "nll" else suite.min_f1_change
    return suite.min_change
