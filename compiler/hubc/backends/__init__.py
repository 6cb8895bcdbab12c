"""Places that run plans. Every backend answers the same verbs with the same meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.plan import Plan
    from hubc.runs import Run


class Backend(Protocol):
    """What can be asked of a place that runs plans.

    Every method raises UsageError for a run that does not exist, and UnreachableError if the place does not answer.
    """

    def submit(self, plan: Plan, spec: str) -> Run:
        """Start a plan and return its run without waiting; a plan that is under way or has succeeded is not started again.

        `spec` is the path of the pipeline's file, relative to the repository.
        Raises HubcError if the place refuses the plan, such as for a secret that is missing.
        """

    def list(self) -> list[Run]:
        """Return all runs, the newest first."""

    def get(self, id: str) -> Run:
        """Return one run."""

    def logs(self, id: str, step: str | None, *, follow: bool) -> Iterator[str]:
        """Yield log lines of one step or of all, each with its step and node; with `follow`, until the run ends."""

    def wait(self, id: str, timeout_seconds: float | None) -> Run:
        """Return a run once it has ended, however it did.

        Raises WaitTimeoutError if that takes longer than `timeout_seconds`; None waits for ever.
        """

    def cancel(self, id: str) -> Run:
        """End a run and return it when nothing of it runs any more; a run that has ended stays as it is."""

    def delete(self, id: str) -> None:
        """Cancel a run if need be, and forget it; what its steps made stays for reuse."""

    def retry(self, id: str) -> Run:
        """Start a run that failed or was cancelled again under its own name; what its steps finished is reused.

        Raises HubcError if it is under way or has succeeded.
        """
