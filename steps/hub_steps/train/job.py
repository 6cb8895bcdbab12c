"""What the launcher of a node tells the training processes, and what they tell it when they fail."""

from __future__ import annotations

from pathlib import Path

from hub_steps.contract import ExitCode, Identity, Record, StepError
from hub_steps.parameters import TrainStepParameters


class Job(Record):
    """One training, as every process of it sees it."""

    step: str
    key: str
    identity: Identity
    model: Path
    data: Path
    output: Path
    ready: Path | None = None
    """Folder that takes hard links of whole checkpoints, to be carried to where the next attempt finds them."""
    parameters: TrainStepParameters


class Fault(Record):
    """Why a training process ended early."""

    message: str
    exit_code: ExitCode

    def as_error(self) -> StepError:
        """Return the error that ends the step the same way."""
        error = StepError(self.message)
        error.exit_code = self.exit_code  # type: ignore[misc] # the code is the process's, not the class's
        return error


JOB_FILE = "job.json"
FAULT_FILE = "fault.json"
SUMMARY_FILE = "summary.json"
CODE_FILE = "exit-code"
"""Holds the exit code of the process that failed first."""
