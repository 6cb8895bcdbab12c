"""Further attempts for objects that cannot restart all their pods together: the object is deleted and applied anew.

torchrun's static rendezvous needs all nodes to start together. A Job and a PyTorchJob only replace single pods, so they
get one attempt each, and the Workflow makes the next one: `again` reads why the object failed, deletes it with all its
pods, and applies it once more. A failure that stays (a bad request, the deadline), and an object that still runs, are
left as they are; waiting for them then tells what there is to tell.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.launchers.templates import apply_and_wait, leaf, reference, step, steps

if TYPE_CHECKING:
    from hubc.backends.argo.launchers.kinds import Kind
    from hubc.backends.argo.launchers.pod_template import TrainingPod
    from hubc.spec.cluster import Argo

CLEAR_SECONDS = 600
"""Room for Kubernetes to remove pods after their grace period; those of a node that does not answer take longer."""
_DEFAULT_GRACE_SECONDS = 30
_LOST = "'{{steps.lost.outputs.parameters.lost}}' != ''"


def restarting(name: str, pod: TrainingPod, first: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the template of all attempts; `first` are the steps that come before them."""
    outcomes = ["wait", *(f"again-{number}" for number in range(1, pod.retries + 1))]
    groups = [*first, *apply_and_wait(name, **_goes_on(outcomes[0], outcomes))]
    for before, attempt in pairwise(outcomes):
        when = f"'{{{{steps.{before}.status}}}}' == 'Failed'"
        groups.append([step(attempt, f"{name}-again", when=when, **_goes_on(attempt, outcomes))])
    return steps(name, groups)


def again(name: str, pod: TrainingPod, kind: Kind, lost: str, argo: Argo, retry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the templates of one further attempt; the JSONPath `lost` finds something if the failure may pass."""
    if not pod.retries:
        return []
    apply, wait = apply_and_wait(name)
    groups = [[step("lost", f"{name}-lost")], [step("reset", f"{name}-reset", when=_LOST)], apply, wait]
    apply[0]["when"] = _LOST
    output = {"parameters": [{"name": "lost", "valueFrom": {"jsonPath": lost, "default": ""}}]}
    return [
        steps(f"{name}-again", groups),
        {**leaf(f"{name}-lost", reference(kind, argo), retry, action="get"), "outputs": output},
        _reset(name, pod, kind, argo, retry),
    ]


def _reset(name: str, pod: TrainingPod, kind: Kind, argo: Argo, retry: dict[str, Any]) -> dict[str, Any]:
    """Return the template that deletes an object and waits for its pods to be gone, which have the names of the next."""
    flags = ["--ignore-not-found", "--cascade=foreground"]
    found = leaf(f"{name}-reset", reference(kind, argo), retry, action="delete", flags=flags)
    grace = pod.spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE_SECONDS)
    return {**found, "activeDeadlineSeconds": grace + CLEAR_SECONDS}


def _goes_on(outcome: str, outcomes: list[str]) -> dict[str, Any]:
    return {} if outcome == outcomes[-1] else {"continueOn": {"failed": True}}
