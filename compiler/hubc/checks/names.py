"""Rules over the names in a pipeline: of phases, of the models that are measured, and of suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.checks.view import Finding
from hubc.diagnostics import did_you_mean
from hubc.graph import GENERATED, evaluation_id, suite_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.checks.view import View
    from hubc.diagnostics import Diagnostic
    from hubc.source import Location, Source
    from hubc.spec.pipeline import Pipeline

TAKEN = {"base": "the base model", "tuned": "the last training's model", "checkpoints": "the kept checkpoints"}
"""Candidates that are no phases."""


def check_names(pipeline: Pipeline, source: Source) -> list[Diagnostic]:
    """`phase-name`: with two phases of one name, or of a name that means something else, two steps would have one id.

    A pipeline with such a fault has no plan.
    """
    found: list[Diagnostic] = []
    seen: set[str] = set()
    for number, phase in enumerate((pipeline.spec.train.phases or ()) if pipeline.spec.train else ()):
        if phase.name in seen or phase.name in TAKEN:
            why = f"means {TAKEN[phase.name]}" if phase.name in TAKEN else "is already the name of a phase"
            place: Location = ("spec", "train", "phases", number, "name")
            found.append(source.diagnostic(place, "phase-name", f"'{phase.name}' {why}", "give the phase another name"))
        seen.add(phase.name)
    return found


def datasets(view: View) -> Iterator[Finding]:
    """`phase-name`: a phase would silently learn from less than somebody meant."""
    known = [*((GENERATED,) if view.spec.generate else ()), *(view.spec.data.datasets if view.spec.data else ())]
    for training in view.trainings:
        for number, name in enumerate((training.phase.datasets or ()) if training.phase else ()):
            if name not in known:
                is_generated = name == GENERATED
                message = (
                    "nothing is generated: there is no 'generate'" if is_generated else f"there is no data set '{name}'"
                )
                remedy = "add the section 'generate', or name a data set" if is_generated else did_you_mean(name, known)
                yield Finding((*training.section, "datasets", number), "phase-name", message, remedy)


def candidates(view: View) -> Iterator[Finding]:
    """`phase-name`: a model is to be measured that nobody makes."""
    evaluate, train = view.spec.evaluate, view.spec.train
    if evaluate is None or "candidates" not in evaluate.model_fields_set:
        return
    known = {*TAKEN, *(phase.name for phase in (train.phases or ()))} if train else {"base"}
    for number, name in enumerate(evaluate.candidates):
        if name not in known:
            message = f"there is no phase '{name}' to measure" if train else f"nothing is trained that could be '{name}'"
            remedy = did_you_mean(name, known) if train else "measure 'base' only, or add 'train'"
            yield Finding(("spec", "evaluate", "candidates", number), "phase-name", message, remedy)


def suites(view: View) -> Iterator[Finding]:
    """`duplicate-name`: gates and reports could not tell two suites apart."""
    names: set[str] = set()
    ids: dict[str, str] = {}
    for number, suite in enumerate(view.spec.evaluate.suites if view.spec.evaluate else ()):
        place: Location = ("spec", "evaluate", "suites", number, "name")
        if (name := suite_name(suite)) in names:
            yield Finding(place, "duplicate-name", f"two suites are called '{name}'", "give one of them another 'name'")
            continue
        names.add(name)
        for candidate in dict.fromkeys(view.spec.evaluate.candidates if view.spec.evaluate else ()):
            what, id = f"'{candidate}' with '{name}'", evaluation_id(candidate, suite)
            if id in ids:
                yield Finding(place, "duplicate-name", f"measuring {what} would be the step '{id}', and so would {ids[id]}",
                              "give the suite or the phase another name")  # fmt: skip
            ids.setdefault(id, what)
