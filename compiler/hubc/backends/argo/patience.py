"""How long to wait for a cluster, and trying again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hubc.backends.argo.refusals import PASSING, DroppedError, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds."""

    connect: float = 10.0
    answer: float = 30.0
    pauses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    """Before each further try of a request that failed in passing."""
    longest_pause: float = 60.0
    """The longest that a server may ask us to wait."""
    stream: float = 60.0
    """A watch or a followed log is asked for anew when it was silent for so long: the connection may be dead."""
    poll: float = 2.0
    stop: float = 90.0
    """After a run was told to stop and before it is terminated without its last report."""
    end: float = 180.0
    """For all pods to go."""
    schedule: float = 120.0
    """For a probe to find a node: some are only made when a pod asks for them."""
    probe: float = 900.0
    """For a probe to end: the first time, a node pulls many gigabytes of images for it."""


def repeated(once: Callable[[], Answer], patience: Patience) -> Answer:
    """Return what `once` does, trying again after failures that pass, and waiting as long as the server asks.

    Raises the last failure, or the first that does not pass.
    """
    for pause in patience.pauses:
        try:
            return once()
        except (DroppedError, RefusedError) as error:
            time.sleep(pause_before_next(error, pause, patience))
    return once()


def pause_before_next(error: DroppedError | RefusedError, pause: float, patience: Patience) -> float:
    """Return for how many seconds to wait after a failure; raises it if it is not one that passes."""
    if isinstance(error, DroppedError):
        return pause
    if error.code not in PASSING or error.retry_after_seconds > patience.longest_pause:
        raise error
    return max(pause, error.retry_after_seconds)
