"""Whether the API server would take a plan's Workflow, webhooks and policies of the cluster included."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubc.backends.argo import render, submission
from hubc.doctor.finding import Finding
from hubc.errors import HubcError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hubc.backends.argo.doctor.case import Case


def check_plan(case: Case) -> Iterator[Finding]:
    """Ask whether the plan could be submitted, as `hubc submit` does before it starts anything."""
    if case.plan is None:
        return
    subject = f"plan of '{case.plan.pipeline}'"
    try:
        submission.check(case.cluster, submission.manifests(render(case.plan, case.platform)))
    except UnreachableError:
        raise
    except HubcError as error:
        text = " ".join(str(error).removeprefix("nothing was started: ").split())
        yield Finding(subject, "bad", text, "mend what it says; 'hubc submit' would end like this")
    else:
        yield Finding(subject, "good", "the API server would take it")
