"""The plan: every step with all defaults filled in, all references pinned and all digests computed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from hub_steps.digest import digest
from hub_steps.keys import key_material

if TYPE_CHECKING:
    from hub_steps.contract import Input as StepInput
    from hub_steps.contract import Kind, Request
    from hub_steps.parameters import SecretReference
    from hubc.diagnostics import Diagnostic
    from hubc.source import Location
    from hubc.spec.sweep import Notification, Schedule


@dataclass(frozen=True)
class Reference:
    """A file or folder in the outputs of another step; an empty path is the whole folder."""

    step: str
    path: str


@dataclass(frozen=True)
class External:
    """An input from outside the plan: a model location, or documents read from the repository."""

    key: str
    uri: str | None = None
    documents: dict[str, Any] | None = None


Input: TypeAlias = Reference | External


@dataclass(frozen=True)
class Resources:
    """What a step gets; `nodes` and the rest count for one step, memory and cores for one node."""

    nodes: int
    cpus: int
    memory_gib: int
    accelerators: int
    accelerator: str | None
    timeout_minutes: int
    is_emulated: bool = False
    """Whether the CPU stands in for the accelerators."""

    @property
    def devices(self) -> int:
        """Accelerators on each node that are really there."""
        return 0 if self.is_emulated else self.accelerators

    @property
    def processes_per_node(self) -> int:
        """Training processes on each node: one for each accelerator, or one on the CPU."""
        return max(1, self.accelerators)


@dataclass(frozen=True)
class Step:
    """One program run, known by its cache key before anything runs."""

    id: str
    kind: Kind
    parameters: dict[str, Any]
    inputs: dict[str, Input]
    resources: Resources
    secrets: tuple[SecretReference, ...]
    image: str | None
    material: dict[str, Any]
    section: Location = ()
    """The section of the spec that asks for the step."""
    variants: tuple[str, ...] = ()
    """The variants of a matrix that it belongs to; empty without a matrix."""
    retries: int = 2

    @cached_property
    def key(self) -> str:
        """The cache key: the digest of the material, 64 hexadecimal digits."""
        return digest(self.material)

    @property
    def needs(self) -> tuple[str, ...]:
        """Ids of the steps whose outputs this one reads, each once, in order."""
        found = (value.step for value in self.inputs.values() if isinstance(value, Reference))
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class Plan:
    """A directed acyclic graph of steps; every step stands after those that it needs."""

    pipeline: str
    description: str
    platform: str
    spec_digest: str
    steps: tuple[Step, ...]
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Variant of the matrix -> swept field -> value; empty without a matrix."""
    max_parallel: int | None = None
    """Most steps of the variants that run at once."""
    schedule: Schedule | None = None
    """When the plan runs again on a cluster."""
    notify: tuple[Notification, ...] = ()
    """Who is told how a run goes."""
    model_config: str | None = None
    """Path of the base model's `config.json` in the repository, for estimates; no part of the digest."""
    warnings: tuple[Diagnostic, ...] = ()
    """What a reader should know before the plan runs; no part of its digest."""

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for step in self.steps:
            if step.id in seen or not seen.issuperset(step.needs):
                raise ValueError(f"step '{step.id}' is defined twice or stands before a step that it needs")
            seen.add(step.id)

    def step(self, id: str) -> Step:
        """Return the step with this id."""
        return next(step for step in self.steps if step.id == id)

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical form, 64 hexadecimal digits."""
        return digest(self.as_data())

    def as_data(self) -> dict[str, Any]:
        """Return the plan as plain data; documents are named by their digest only."""
        return {
            "version": "hubc.plan/v1",
            "pipeline": self.pipeline,
            "description": self.description,
            "platform": self.platform,
            "spec_digest": self.spec_digest,
            "steps": [_step_data(step) for step in self.steps],
            "variants": self.variants,
            "max_parallel": self.max_parallel,
            "schedule": self.schedule.model_dump(mode="json") if self.schedule else None,
            "notify": [item.model_dump(mode="json") for item in self.notify],
        }

    def output(self, root: str, step: Step) -> str:
        """Return the URI of a step's outputs below a storage root."""
        return f"{root}/{self.pipeline}/{step.id}/{step.key}"

    def run_record(self, root: str, run: str) -> str:
        """Return the URI of the folder in the storage that keeps the requests, logs and failures of a run on a cluster."""
        return f"{root}/{self.pipeline}/.runs/{run}"

    def request(self, step: Step, run: str, root: str, publish_root: str, model_cache: str | None) -> Request:
        """Return what a step is told when its outputs lie below the storage root `root`, a URI."""
        from hub_steps.contract import Identity, Request

        return Request(
            kind=step.kind,
            step=step.id,
            key=step.key,
            parameters=step.parameters,
            inputs={name: self._input(value, root) for name, value in step.inputs.items()},
            output=self.output(root, step),
            publish_root=publish_root,
            model_cache=model_cache,
            identity=Identity(
                run=run,
                pipeline=self.pipeline,
                spec_digest=self.spec_digest,
                plan_digest=self.digest,
            ),
        )

    def _input(self, value: Input, root: str) -> StepInput:
        from hub_steps.contract import Input as StepInput

        if isinstance(value, External):
            return StepInput(uri=value.uri, documents=value.documents, key=value.key)
        producer = self.step(value.step)
        folder = self.output(root, producer)
        return StepInput(uri=f"{folder}/{value.path}" if value.path else folder, key=f"{producer.key}/{value.path}")


def material(kind: Kind, parameters: dict[str, Any], inputs: dict[str, Input], steps: dict[str, Step]) -> dict[str, Any]:
    """Return what the cache key of a step is computed from, given the steps that it may refer to."""
    keys = {
        name: value.key if isinstance(value, External) else f"{steps[value.step].key}/{value.path}"
        for name, value in inputs.items()
    }
    return key_material(kind, parameters, keys)


def _step_data(step: Step) -> dict[str, Any]:
    inputs = {
        name: asdict(value) if isinstance(value, Reference) else {"key": value.key, "uri": value.uri}
        for name, value in step.inputs.items()
    }
    return {
        "id": step.id,
        "kind": step.kind,
        "key": step.key,
        "needs": list(step.needs),
        "parameters": step.parameters,
        "inputs": inputs,
        "resources": asdict(step.resources),
        "secrets": [secret.model_dump() for secret in step.secrets],
        "image": step.image,
        "retries": step.retries,
        "variants": list(step.variants),
    }
