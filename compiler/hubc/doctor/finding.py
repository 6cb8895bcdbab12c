"""What `hubc doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "bad", "unknown"]


@dataclass(frozen=True)
class Finding:
    """One thing, how it is, and what to do unless it is good."""

    subject: str
    """What was looked at, such as `service account 'hubc-step'`."""
    state: State
    text: str = ""
    """What was seen."""
    remedy: str = ""
    """What makes a bad thing good, or finds out about an unknown one."""
