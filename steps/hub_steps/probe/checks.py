"""From a request to what is tried out, and from there to findings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hub_steps.concurrency import LIMIT_SECONDS, results
from hub_steps.probe.endpoint import check_endpoint
from hub_steps.probe.finding import Finding, found
from hub_steps.probe.github import check_github
from hub_steps.probe.huggingface import check_huggingface
from hub_steps.probe.published import check_published
from hub_steps.probe.storage import check_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub_steps.probe.request import ProbeRequest

    Check = tuple[str, Callable[[], str]]


def findings(request: ProbeRequest) -> Iterator[Finding]:
    """Try out everything, several things at once, and yield what is found in the order of the request."""
    checks = list(_checks(request))
    tried = results([partial(found, subject, check) for subject, check in checks])
    for (subject, _), finding in zip(checks, tried, strict=True):
        late = Finding(subject, "unknown", f"was not tried out within {LIMIT_SECONDS:g} s", "see whether it may be reached")
        yield finding or late


def _checks(request: ProbeRequest) -> Iterator[Check]:
    for uri in request.storage:
        yield f"storage {uri}", partial(check_storage, uri)
    for endpoint in request.endpoints:
        yield f"{endpoint.role} of step '{endpoint.step}'", partial(check_endpoint, endpoint)
    for target in request.targets:
        subject = f"target of step '{target.step}'"
        if target.location:
            yield subject, partial(check_published, target, target.location)
        if target.huggingface:
            yield subject, partial(check_huggingface, target.huggingface)
        if target.github:
            yield subject, partial(check_github, target.github, target.version)
