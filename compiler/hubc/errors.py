"""One exception for each way that the command line reacts; each carries its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hubc.diagnostics import Diagnostic


class HubcError(Exception):
    """A failure that a user can act on; its text is the whole message."""

    exit_code: ClassVar[int] = 1


class SpecError(HubcError):
    """Specs or plans have errors, every one a diagnostic."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(f"{len(diagnostics)} diagnostics")
        self.diagnostics = sorted(diagnostics)


class UsageError(HubcError):
    """The command line asks for something that does not exist or does not fit."""

    exit_code = 2


class RunFailedError(HubcError):
    """A run ended without success."""

    exit_code = 3


class UnreachableError(HubcError):
    """A backend, a service or the machine's own storage could not be used."""

    exit_code = 4


class WaitTimeoutError(HubcError):
    """A run did not end in the time that somebody was ready to wait."""

    exit_code = 4
