"""All estimates of one step, as the views of a plan show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.estimates.memory import MemoryEstimate
    from hubc.estimates.work import Device, WorkEstimate


@dataclass(frozen=True)
class StepEstimate:
    """What a step is expected to need; `reasons` says why something is missing."""

    memory: MemoryEstimate | None = None
    work: WorkEstimate | None = None
    advice: Sequence[str] = ()
    """What to change when the memory is not enough."""
    device: Device | None = None
    reasons: Sequence[str] = ()

    def as_data(self) -> dict[str, Any]:
        """Return the estimates as plain data, units in the names."""
        return {
            "memory": self.memory.as_data() if self.memory else None,
            "device": {"name": self.device.name, "memory_gib": self.device.memory_gib} if self.device else None,
            "advice": list(self.advice),
            "work": self.work.as_data() if self.work else None,
            "reasons": list(self.reasons),
        }
