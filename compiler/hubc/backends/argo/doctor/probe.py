"""Running the probe pod, and what its containers and its log tell."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from hubc.backends.argo.doctor.probe_pod import MOST_BYTES, NOTE, PROBE, images, probe_pod
from hubc.backends.argo.kinds import PODS
from hubc.backends.argo.obstacles import warnings
from hubc.backends.argo.pods import ENDED_PODS, one_line, phase, reason
from hubc.backends.argo.refusals import RefusedError
from hubc.backends.argo.watching import Watching
from hubc.doctor.finding import Finding
from hubc.doctor.lines import findings_in

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from hubc.backends.argo.doctor.case import Case
    from hubc.backends.argo.kinds import Object

REFUSALS = frozenset({400, 403, 404, 422})
STUCK = frozenset({
    "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
    "RegistryUnavailable", "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
})  # fmt: skip
"""Why a container waits that does not start by waiting."""
NOT_PULLED = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
SUBJECT = "probe pod"


def probe_on_cluster(case: Case, document: dict[str, Any]) -> Generator[Finding, None, None]:
    """Run one short pod and say what it finds; it is deleted whatever happens."""
    patience = case.cluster.patience
    pod = probe_pod(case.argo, document, max(1, round(patience.probe)))
    if len(pod["metadata"]["annotations"][NOTE]) > MOST_BYTES:
        yield Finding(SUBJECT, "unknown", "the plan has too much to probe for one pod", "probe a plan with less steps")
        return
    name, is_made = pod["metadata"]["name"], True
    try:
        try:
            case.cluster.create(PODS, pod)
        except RefusedError as error:
            is_made = error.code not in REFUSALS
            if is_made:
                raise
            yield Finding(SUBJECT, "bad", _refusal(error), _remedy(error))
            return
        yield from _seen(case, name)
    finally:
        # A lost answer, too, may mean that it was made.
        if is_made:
            case.cluster.delete(PODS, name)


def _refusal(error: RefusedError) -> str:
    return f"the API server does not take it: {one_line(error.said or str(error))}"


def _remedy(error: RefusedError) -> str:
    if error.code == 403 and "quota" not in error.said and "PodSecurity" not in error.said:
        return "have the role hubc-probe bound to you, or leave --probe out"
    return "mend what it says; pods of runs would be refused like this, too"


def _seen(case: Case, name: str) -> Iterator[Finding]:
    """Wait for the pod and say what became of it."""
    patience = case.cluster.patience
    start = time.monotonic()
    pod = _wait(case, name, start + patience.schedule, _is_scheduled)
    if pod is not None and _is_scheduled(pod):
        pod = _wait(case, name, start + patience.probe, _is_settled)
    if pod is None:
        yield Finding(SUBJECT, "bad", "somebody deleted it while it ran", "try again")
        return
    yield from _images(case, pod)
    yield from _probe(case, pod)


def _wait(case: Case, name: str, until: float, test: Callable[[Object], bool]) -> Object | None:
    """Return the pod when something is so, or the time is up; None if it is gone."""
    found: Object | None = None
    for found in Watching(case.cluster, PODS, name, until).states():
        if found is None or test(found):
            return found
    return found


def _is_scheduled(pod: Object) -> bool:
    return bool(pod["spec"].get("nodeName")) or phase(pod) in ENDED_PODS


def _is_settled(pod: Object) -> bool:
    """Tell whether nothing more is to come of a pod's containers."""
    statuses = pod.get("status", {}).get("containerStatuses", [])
    every = len(statuses) == len(pod["spec"]["containers"])
    return phase(pod) in ENDED_PODS or (every and all(map(_has_settled, statuses)))


def _has_settled(status: Object) -> bool:
    state = status.get("state", {})
    return "terminated" in state or state.get("waiting", {}).get("reason") in STUCK


def _states(pod: Object) -> dict[str, Object]:
    return {item["name"]: item.get("state", {}) for item in pod.get("status", {}).get("containerStatuses", [])}


def _images(case: Case, pod: Object) -> Iterator[Finding]:
    """Say of each image whether the node has it."""
    states, node = _states(pod), pod["spec"].get("nodeName", "")
    for container, image in images(case.argo).items():
        state = states.get(container, {})
        waiting = state.get("waiting", {})
        subject = f"image {image}"
        if waiting.get("reason") in NOT_PULLED:
            why = one_line(f"{waiting['reason']}: {waiting.get('message', '')}")
            yield Finding(subject, "bad", why, "mend the platform's 'images' or 'image_pull_secrets', or the registry")
        elif state and ("running" in state or "terminated" in state or waiting.get("reason") in STUCK):
            yield Finding(subject, "good", f"node '{node}' has pulled it")
        else:
            yield Finding(subject, "unknown", "was not pulled in the time that the probe had", "try again")


def _probe(case: Case, pod: Object) -> Iterator[Finding]:
    """Say how the probing container ended, and what it has found."""
    state = _states(pod).get(PROBE, {})
    ended = state.get("terminated")
    if ended is None:
        known = warnings(case.cluster)
        why = reason(pod, known) or known.get(pod["metadata"]["name"], "") or f"is {phase(pod)}"
        yield Finding(SUBJECT, "bad", f"did not end in time: {why}", "mend what it says; pods of runs would wait, too")
        return
    log = case.cluster.log(pod["metadata"]["name"], {"container": PROBE})
    yield from findings_in(log)
    if ended.get("exitCode"):
        last = ended.get("message") or (log.strip().splitlines() or [""])[-1]
        text = f"ended with exit code {ended['exitCode']}: {one_line(str(last))}"
        yield Finding(SUBJECT, "bad", text, "is the publish image of this version of hubc?")
    else:
        yield Finding(SUBJECT, "good", f"ran on node '{pod['spec'].get('nodeName', '')}'")
