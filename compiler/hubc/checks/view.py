"""What the rules over a plan look at, and what they find: a fault, and the place in the spec that causes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from hubc.graph import GENERATED

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.parameters import Teacher, TrainParameters
    from hubc.plan import Plan, Resources, Step
    from hubc.source import Location
    from hubc.spec.pipeline import Phase, Pipeline, PipelineBody
    from hubc.spec.platform import Platform


@dataclass(frozen=True)
class Finding:
    """A fault at a place in the data of a spec; `at_key` if the key is at fault rather than its value."""

    place: Location
    rule: str
    message: str
    help: str
    at_key: bool = False


@dataclass(frozen=True)
class Training:
    """One training of a pipeline: a phase, or the only one."""

    section: Location
    phase: Phase | None
    parameters: TrainParameters
    """Those of the phase and, for the rest, those of `train`."""
    datasets: tuple[str, ...]
    """Names of the data sets that it learns from, `generated` among them."""
    resources: Resources

    def place(self, field: str) -> Location:
        """Return where a parameter of this training stands, or would stand: in the phase, or in `train`."""
        is_own = self.phase is not None and field in self.phase.model_fields_set
        return (*self.section, field) if is_own else ("spec", "train", field)

    @property
    def keeps_checkpoints(self) -> bool:
        """Whether there is a checkpoint to evaluate afterwards."""
        told = self.parameters
        return told.checkpoint_at_epoch or told.save_steps is not None or told.save_samples is not None


@dataclass(frozen=True)
class View:
    """A pipeline with its plan; of a pipeline with a matrix, one `variant`, or all of it."""

    pipeline: Pipeline
    plan: Plan
    platform: Platform | None
    """Where it is to run; None asks only for what holds on every platform."""
    root: Path
    """Top of the repository."""
    variant: str | None = None

    @property
    def spec(self) -> PipelineBody:
        """The sections of the pipeline."""
        return self.pipeline.spec

    @property
    def cluster(self) -> str | None:
        """Name of the cluster that the plan is for, if it is for one."""
        return self.platform.metadata.name if self.platform and self.platform.spec.argo else None

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the variant, or all."""
        return tuple(step for step in self.plan.steps if self.variant is None or self.variant in step.variants)

    @cached_property
    def trainings(self) -> tuple[Training, ...]:
        """The trainings in their order."""
        train = self.spec.train
        if train is None:
            return ()
        resources = {step.section: step.resources for step in self.steps if step.kind == "train"}
        found = []
        for number, phase in enumerate(train.phases or (None,)):
            section: Location = ("spec", "train") if phase is None else ("spec", "train", "phases", number)
            if section not in resources:  # its parameters do not go together, which is a finding already
                continue
            told = train if phase is None else phase.over(train)
            found.append(Training(section, phase, told, self._datasets(phase), resources[section]))
        return tuple(found)

    def _datasets(self, phase: Phase | None) -> tuple[str, ...]:
        if phase is not None and phase.datasets is not None and self.spec.data is not None:
            return phase.datasets
        generated = (GENERATED,) if self.spec.generate else ()
        return (*generated, *(self.spec.data.datasets if self.spec.data else ()))

    def asked(self) -> Iterator[tuple[Location, Teacher]]:
        """Yield every teacher and judge with its place."""
        if generate := self.spec.generate:
            yield ("spec", "generate", "teacher"), generate.teacher
            if generate.judge:
                yield ("spec", "generate", "judge"), generate.judge
        for number, suite in enumerate(self.spec.evaluate.suites if self.spec.evaluate else ()):
            if suite.suite in ("mt_bench", "mt_bench_branch"):
                yield ("spec", "evaluate", "suites", number, "judge"), suite.judge

    def files(self) -> Iterator[tuple[Location, str]]:
        """Yield the location of every file of data that the pipeline reads, with its place."""
        for name, dataset in self.spec.data.datasets.items() if self.spec.data else ():
            yield ("spec", "data", "datasets", name, "location"), dataset.location
        for number, suite in enumerate(self.spec.evaluate.suites if self.spec.evaluate else ()):
            if suite.suite == "mt_bench":
                yield ("spec", "evaluate", "suites", number, "questions"), suite.questions


Rule: TypeAlias = Callable[[View], Iterator[Finding]]
