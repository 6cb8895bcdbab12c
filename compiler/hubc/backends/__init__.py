"""Places that run plans. Every backend answers the same verbs with the same meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.runs import Run


class Backend(Protocol):
    """What can be asked of a place once it has runs."""

    def list(self) -> list[Run]:
        """Return all runs, the newest first."""

    def get(self, id: str) -> Run:
        """Return one run; raises UsageError if there is none of this name."""

    def logs(self, id: str, step: str | None, *, follow: bool) -> Iterator[str]:
        """Yield log lines of one step or of all; with `follow`, until the run ends."""

    def cancel(self, id: str) -> Run:
        """End a run and return it when nothing of it runs any more; a run that has ended stays as it is."""

    def delete(self, id: str) -> None:
        """Cancel a run if need be, and forget it; what its steps made stays for reuse."""
