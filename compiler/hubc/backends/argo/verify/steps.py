"""Steps: groups of calls, one group after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo.verify.calls import call_faults
from hubc.backends.argo.verify.templates import name_faults, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.verify.finding import Fault, Path
    from hubc.backends.argo.verify.objects import Flow, Template


def steps_faults(flow: Flow, path: Path, template: Template) -> Iterator[Fault]:
    """Yield what is wrong with the steps of a template, at whose `steps` the path ends."""
    groups = template["steps"]
    if not groups:
        yield path, "there is at least one step"
    for number, group in enumerate(groups):
        if not group:
            yield (*path, number), "a group has at least one step"
        yield from name_faults((*path, number), [step.get("name") for step in group])
        for place, step in enumerate(group):
            yield from call_faults(flow, (*path, number, place), step)
    # Within one group, this has been said.
    yield from repeated(path, [name for group in groups for name in dict.fromkeys(step.get("name") for step in group)])
