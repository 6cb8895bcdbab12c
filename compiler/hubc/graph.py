"""The steps of one pipeline: which there are, what each is told, and what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from pydantic import ValidationError

from hub_steps.parameters import (
    Declared,
    EvaluateParameters,
    FetchParameters,
    GateParameters,
    GenerateParameters,
    MixParameters,
    PublishParameters,
    SecretReference,
    Tracking,
    TrainParameters,
    TrainStepParameters,
)
from hubc.errors import SpecError
from hubc.inputs import dataset_input, documents_input, file_input, generation_input, model_input, read_text, taxonomy_input
from hubc.plan import External, Reference, Resources, Step, material
from hubc.spec.pipeline import Resources as Wanted
from hubc.spec.pipeline import TrainResources

if TYPE_CHECKING:
    from pathlib import Path

    from hub_steps.contract import Kind
    from hub_steps.parameters import Suite, Teacher
    from hubc.diagnostics import Diagnostic
    from hubc.plan import Input
    from hubc.source import Location, Source
    from hubc.spec.pipeline import Phase, Pipeline
    from hubc.spec.platform import Platform

GENERATED = "generated"
"""What data recipes and phases call the data that the generate step writes."""
IMAGE_OF: dict[Kind, str] = {"fetch": "generate", "mix": "generate", "gate": "publish"}
"""Image of the kinds of step that have none of their own: one with the packages that they need."""
READS_TAXONOMY = frozenset({"held_out", "mmlu_branch", "mt_bench_branch"})
M = TypeVar("M", bound=Declared)


Memory: TypeAlias = "dict[tuple[Any, ...], tuple[Any, list[Diagnostic]]]"


def steps_of(
    pipeline: Pipeline, platform: Platform, source: Source, root: Path, memory: Memory
) -> tuple[dict[str, Step], list[Diagnostic]]:
    """Return the steps of a pipeline by their ids, each after those that it needs; a matrix is not looked at.

    Also returns every fault of what the pipeline reads from the repository and from this machine; then something stands for
    what could not be read. The `memory` has what was read for other variants of the same pipeline.
    """
    graph = _Graph(pipeline, platform, source, root, memory)
    graph.prepare()
    graph.evaluate_base()
    graph.train()
    graph.evaluate()
    graph.gate()
    graph.publish()
    return graph.steps, graph.faults


class _Graph:
    """Collects the steps of a plan; a step may refer to those that were added before it.

    What steps are told was validated as part of the spec: constructing it spares a validator for each class.
    """

    def __init__(self, pipeline: Pipeline, platform: Platform, source: Source, root: Path, memory: Memory) -> None:
        self.pipeline, self.spec = pipeline, pipeline.spec
        self.platform, self.source, self.root, self.memory = platform, source, root, memory
        self.steps: dict[str, Step] = {}
        self.faults: list[Diagnostic] = []
        self.base: Input = External(key="")
        self.taxonomy: Input | None = None
        self.trained: dict[str, str] = {}
        """Candidate -> id of the step that trains it."""

    def read(self, take: Any, *arguments: Any) -> Any:
        """Return what `take` reads, or nothing and keep its fault, so that all of them are reported together."""
        what = (take, *arguments)
        if what not in self.memory:
            try:
                taken = take(*arguments, self.source, *((self.root,) if take is not model_input else ()))
                self.memory[what] = (taken, [])
            except SpecError as error:
                self.memory[what] = (External(key=""), error.diagnostics)
        found, faults = self.memory[what]
        self.faults += faults
        return found

    def add(
        self, id: str, kind: Kind, told: Declared, inputs: dict[str, Input], section: Location, wanted: Wanted | None = None
    ) -> None:
        parameters = told.as_data()
        images = self.platform.spec.argo.images if self.platform.spec.argo else None
        self.steps[id] = Step(
            id=id,
            kind=kind,
            parameters=parameters,
            inputs=inputs,
            resources=resources_of(wanted or Wanted.model_construct(), self.platform),
            secrets=tuple(dict.fromkeys(_secrets(told))),
            image=getattr(images, IMAGE_OF.get(kind, kind)) if images else None,
            material=material(kind, parameters, inputs, self.steps),
            section=section,
        )

    def prepare(self) -> None:
        """Add what comes before training: the taxonomy and the generated data."""
        self.base = self.read(model_input, self.spec.model.location, ("spec", "model", "location"))
        if self.spec.model.config is not None:
            self.read(read_text, self.spec.model.config, ("spec", "model", "config"))
        if (taxonomy := self.spec.taxonomy) is not None:
            if taxonomy.git is None:
                self.taxonomy = self.read(taxonomy_input, taxonomy.path, ("spec", "taxonomy", "path"))
            else:
                told = FetchParameters.model_construct(**dict(taxonomy.git))
                self.add("fetch", "fetch", told, {}, ("spec", "taxonomy", "git"))
                self.taxonomy = Reference("fetch", "taxonomy.json")
        if (generate := self.spec.generate) is not None and self.taxonomy is not None:
            place: Location = ("spec", "generate")
            inputs = {"taxonomy": self.taxonomy, **self.served("teacher", generate.teacher, (*place, "teacher"))}
            if generate.judge:
                inputs |= self.served("judge", generate.judge, (*place, "judge"))
            if generate.pipeline not in ("simple", "full"):
                inputs["pipeline"] = self.read(generation_input, generate.pipeline, (*place, "pipeline"))
            self.add("generate", "generate", _as(GenerateParameters, generate), inputs, place, generate.resources)

    def served(self, name: str, model: Teacher, place: Location) -> dict[str, Input]:
        """Return the input with the weights of a teacher or judge that the step serves itself."""
        if model.serve is None:
            return {}
        return {name: self.read(model_input, model.serve.location, (*place, "serve", "location"))}

    def data(self, phase: Phase | None, name: str) -> Input:
        """Return the training data of a phase, and add the step that mixes them if there is something to mix."""
        recipe, generated = self.spec.data, "generate" in self.steps
        if recipe is None:
            return Reference("generate", "train.jsonl")
        chosen = set(phase.datasets) if phase and phase.datasets else {GENERATED, *recipe.datasets}
        uses_generated = generated and GENERATED in chosen
        told = MixParameters.model_construct(
            datasets={key: item for key, item in recipe.datasets.items() if key in chosen},
            generated_sampling_size=(recipe.generated_sampling_size or 1.0) if uses_generated else None,
            system_prompt=recipe.system_prompt,
            seed=recipe.seed,
        )
        inputs: dict[str, Input] = {GENERATED: Reference("generate", "train.jsonl")} if uses_generated else {}
        for key, item in told.datasets.items():
            place = ("spec", "data", "datasets", key, "location")
            inputs[f"dataset.{key}"] = self.read(dataset_input, item.location, item.sha256, place)
        every = phase is None or phase.datasets is None
        id = "mix" if every else f"mix-{name}"
        if id not in self.steps:
            self.add(id, "mix", told, inputs, ("spec", "data"), recipe.resources)
        return Reference(id, "train.jsonl")

    def train(self) -> None:
        """Add one training for each phase, each from the model of the one before it."""
        if (train := self.spec.train) is None:
            return
        model = self.base
        for number, phase in enumerate(train.phases or (None,)):
            place: Location = ("spec", "train") if phase is None else ("spec", "train", "phases", number)
            id = "train" if phase is None else f"train-{phase.name}"
            if id in self.steps:  # reported as a fault; with another id the rest can still be checked
                id = f"{id}-{number}"
            if (parameters := self.phase_parameters(phase, place)) is None:
                continue
            told = TrainStepParameters.model_construct(
                **_fields(TrainParameters, parameters),
                trust_remote_code=self.spec.model.trust_remote_code,
                tracking=self.spec.tracking or Tracking.model_construct(),
            )
            inputs = {"model": model, "data": self.data(phase, phase.name if phase else "")}
            if parameters.custom:
                inputs["script"] = self.read(file_input, parameters.custom.script, (*place, "custom", "script"))
            self.add(id, "train", told, inputs, place, train.resources)
            model = Reference(id, "model")
            self.trained[phase.name if phase else "tuned"] = id
        if self.trained:
            self.trained["tuned"] = list(self.trained.values())[-1]

    def phase_parameters(self, phase: Phase | None, place: Location) -> TrainParameters | None:
        train = self.spec.train
        if train is None or phase is None:
            return train
        try:
            return phase.over(train)
        except ValidationError as error:
            message = error.errors(include_url=False)[0]["msg"]
            fault = self.source.diagnostic(place, "invalid-value", f"phase '{phase.name}': {message}",
                                           "change the phase, or 'train' itself")  # fmt: skip
            self.faults.append(fault)
            return None

    def evaluate_base(self) -> None:
        """Add the base model's evaluations; they come first, since they wait for nothing."""
        if self.spec.evaluate and "base" in self.spec.evaluate.candidates:
            self.measure("base", {"model": self.base})

    def evaluate(self) -> None:
        """Add the evaluations of what was trained."""
        for candidate in self.spec.evaluate.candidates if self.spec.evaluate else ():
            if candidate == "checkpoints" and "tuned" in self.trained:
                start = self.steps[self.trained["tuned"]].inputs["model"]
                checkpoints = Reference(self.trained["tuned"], "checkpoints")
                self.measure(candidate, {"model": start, "checkpoints": checkpoints})
            elif candidate in self.trained and candidate != "base":
                self.measure(candidate, {"model": Reference(self.trained[candidate], "model")})

    def measure(self, candidate: str, inputs: dict[str, Input]) -> None:
        """Add one step for each suite that measures a candidate."""
        evaluate = self.spec.evaluate
        for number, suite in enumerate(evaluate.suites if evaluate else ()):
            place: Location = ("spec", "evaluate", "suites", number)
            given = inputs | self.asked(suite, place)
            if evaluation_id("base", suite) in self.steps and candidate != "base":
                given["baseline"] = Reference(evaluation_id("base", suite), "evaluation.json")
            generate = self.spec.generate
            told = EvaluateParameters.model_construct(
                suite=suite,
                held_out_share=generate.held_out_share if generate else 1.0,
                held_out_seed=generate.seed if generate else 42,
                trust_remote_code=self.spec.model.trust_remote_code,
            )
            wanted = evaluate.resources if evaluate else None
            self.add(evaluation_id(candidate, suite), "evaluate", told, given, place, wanted)

    def asked(self, suite: Suite, place: Location) -> dict[str, Input]:
        """Return what a suite asks of a model: the taxonomy's questions or a file of its own, and who judges."""
        found: dict[str, Input] = {}
        if suite.suite in READS_TAXONOMY:
            if self.taxonomy is None:
                fault = self.source.diagnostic(place, "missing-key", f"the suite '{suite.suite}' needs 'taxonomy'",
                                               "add the section 'taxonomy', or remove the suite")  # fmt: skip
                self.faults.append(fault)
            else:
                found["taxonomy"] = self.taxonomy
        if suite.suite == "mt_bench":
            found["questions"] = self.read(dataset_input, suite.questions, suite.sha256, (*place, "questions"))
        if suite.suite in ("mt_bench", "mt_bench_branch"):
            found |= self.served("judge", suite.judge, (*place, "judge"))
        return found

    def gate(self) -> None:
        """Add the step that compares evaluations with what the spec demands."""
        evaluate = self.spec.evaluate
        if evaluate is None or not evaluate.gates:
            return
        inputs: dict[str, Input] = {}
        for role, candidate in (("candidate", "tuned"), ("base", "base")):
            for suite in evaluate.suites:
                if (id := evaluation_id(candidate, suite)) in self.steps:
                    inputs[f"{role}.{suite_name(suite)}"] = Reference(id, "evaluation.json")
        compares = any(gate.over == "published" and gate.min_improvement is not None for gate in evaluate.gates)
        location = self.spec.publish.location if self.spec.publish else None
        told = GateParameters.model_construct(gates=evaluate.gates, published=location if compares else None)
        self.add("gate", "gate", told, inputs, ("spec", "evaluate", "gates"))

    def publish(self) -> None:
        """Add publishing, with all that the model's card and provenance tell of."""
        if (publish := self.spec.publish) is None or "tuned" not in self.trained:
            return
        training = self.steps[self.trained["tuned"]]
        inputs: dict[str, Input] = {"generation": Reference("generate", "")} if "generate" in self.steps else {}
        inputs |= {"model": self.base, "training": Reference(training.id, "")}
        if self.taxonomy is not None:
            inputs["taxonomy"] = self.taxonomy
        data = training.inputs["data"]
        if isinstance(data, Reference) and self.steps[data.step].kind == "mix":
            inputs["mix"] = Reference(data.step, "")
        for suite in self.spec.evaluate.suites if self.spec.evaluate else ():
            if (id := evaluation_id("tuned", suite)) in self.steps:
                inputs[f"evaluation.{suite_name(suite)}" if "evaluation" in inputs else "evaluation"] = Reference(id, "")
        if "gate" in self.steps:
            inputs["gate"] = Reference("gate", "")
        inputs["about"] = documents_input({"description": self.pipeline.metadata.description})
        self.add("publish", "publish", _as(PublishParameters, publish), inputs, ("spec", "publish"), publish.resources)


def suite_name(suite: Suite) -> str:
    """Return what gates and reports call a suite."""
    return suite.name or suite.suite


def evaluation_id(candidate: str, suite: Suite) -> str:
    """Return the id of the step that measures a candidate with a suite; the held-out questions are the usual one."""
    name = suite_name(suite)
    return f"evaluate-{candidate}" + ("" if name == "held_out" else f"-{name.replace('_', '-')}")


def resources_of(wanted: Wanted, platform: Platform) -> Resources:
    """Return what a step gets on a platform."""
    defaults, kinds = platform.spec.defaults, platform.spec.accelerators
    only = next(iter(kinds)) if len(kinds) == 1 else None
    name = (wanted.accelerator or only) if wanted.accelerators else None
    return Resources(
        nodes=wanted.nodes if isinstance(wanted, TrainResources) else 1,
        cpus=wanted.cpus or defaults.cpus,
        memory_gib=wanted.memory_gib or defaults.memory_gib,
        accelerators=wanted.accelerators,
        accelerator=name,
        timeout_minutes=wanted.timeout_minutes or defaults.timeout_minutes,
        is_emulated=name in kinds and kinds[name].resource is None,
    )


def _as(model: type[M], section: Declared) -> M:
    """Return the part of a spec's section that a step is told."""
    return cast("M", model.model_construct(**_fields(model, section)))


def _fields(model: type[Declared], section: Declared) -> dict[str, Any]:
    return {name: getattr(section, name) for name in model.model_fields}


def _secrets(value: Declared) -> list[SecretReference]:
    """Return every secret reference in what a step is told."""
    found: list[SecretReference] = []
    for item in value.parts():
        if isinstance(item, SecretReference):
            found.append(item)
        else:
            found.extend(_secrets(item))
    return found
