"""The gates file: each gate, what was measured, what it was compared with, and whether it is passed."""

from __future__ import annotations

from typing import Literal

from hub_steps.contract import Record
from hub_steps.evaluate.metrics import Figure
from hub_steps.parameters import Gate

GATES_FILE = "gates.json"


class GateResult(Record):
    """One gate and what became of it."""

    gate: Gate
    passed: bool
    value: Figure
    """The tuned model's metric."""
    reference: Figure = None
    """The same metric of the base or the published version; None if the gate does not ask, or there is none."""
    compared: Figure = None
    """The tuned model's metric on the questions that the reference was measured on."""
    told: str
    """All of it in a sentence."""


class GatesReport(Record):
    """All gates of a pipeline."""

    version: Literal["hubc.gates/v1"] = "hubc.gates/v1"
    gates: tuple[GateResult, ...]
