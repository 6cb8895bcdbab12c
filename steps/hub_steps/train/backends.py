"""Which program trains which algorithm: the first backend that was registered for an algorithm is its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hub_steps.parameters.train import BACKENDS
from hub_steps.train.processes import run_worker
from hub_steps.train.script import run_script

if TYPE_CHECKING:
    from hub_steps.train.job import Job
    from hub_steps.workspace import Outcome


class Backend(Protocol):
    """Trains on this node; stateless."""

    def __call__(self, job: Job, script: str | None) -> Outcome:
        """Run the job and return what it made; `script` is the text of the user's own program.

        Raises StepError if training fails, and StoppedError if it was told to stop.
        """


class Registry:
    """Algorithms by name, and the backends of each; a name that is not there is a ValueError."""

    def __init__(self) -> None:
        self._backends: dict[str, dict[str, Backend]] = {}

    def register_algorithm(self, name: str) -> None:
        """Add an algorithm without backends."""
        self._backends.setdefault(name, {})

    def register_backend(self, algorithm: str, name: str, backend: Backend) -> None:
        """Add a backend to an algorithm."""
        if algorithm not in self._backends:
            raise ValueError(f"Algorithm '{algorithm}' must be registered before registering backends")
        self._backends[algorithm][name] = backend

    def algorithms(self) -> list[str]:
        """Return the names of all algorithms."""
        return list(self._backends)

    def backends(self, algorithm: str) -> list[str]:
        """Return the names of an algorithm's backends, the default first."""
        return list(self._found(algorithm))

    def backend(self, algorithm: str, name: str | None = None) -> Backend:
        """Return a backend of an algorithm, the default one without a name."""
        found = self._found(algorithm)
        chosen = next(iter(found), None) if name is None else name
        if chosen not in found:
            raise ValueError(f"Backend '{chosen}' not found for algorithm '{algorithm}'")
        return found[chosen]

    def _found(self, algorithm: str) -> dict[str, Backend]:
        if algorithm not in self._backends:
            raise ValueError(f"Algorithm '{algorithm}' not found")
        return self._backends[algorithm]


PROGRAMS: dict[str, Backend] = {"transformers": run_worker, "trl": run_worker, "script": run_script}


def built_in() -> Registry:
    """Return the registry of all that a spec can name."""
    registry = Registry()
    for algorithm, names in BACKENDS.items():
        registry.register_algorithm(algorithm)
        for name in names:
            registry.register_backend(algorithm, name, PROGRAMS[name])
    return registry
