"""What a probe prints: a finding a line, between whatever else its program says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

from hubc.doctor.finding import Finding, State
from hubc.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 600
FIELDS = ("subject", "state", "text", "remedy")


def findings_in(log: str) -> Iterator[Finding]:
    """Yield the findings in a log."""
    for line in log.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("state") in get_args(State):
            said = {name: printable(str(found.get(name, "")))[:MOST] for name in FIELDS}
            yield Finding(said["subject"], found["state"], said["text"], said["remedy"])
