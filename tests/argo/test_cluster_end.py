"""Waiting for runs, and ending them: nothing of a run is left running, whatever the connection does meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cluster_run import ENDED, RUN, node, own_pod, start, training, training_pod

from hubc.backends.argo.patience import Patience
from hubc.errors import UnreachableError, UsageError, WaitTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kube import KubeApi

    from hubc.backends.argo.backend import ArgoBackend

DONE = {"status": {"phase": "Succeeded", "finishedAt": ENDED}}
FAULTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "dropped": [{"drop_after": 1}, {"drop_after": 1}],
    "refused": [{"status": 500}, {"status": 429}],
    "cut off": [{"reset": True}],
    "gone": [{"status": 410}],
}


@pytest.mark.parametrize("kind", FAULTS)
def test_wait_until_a_run_has_ended(api: KubeApi, backend: ArgoBackend, kind: str) -> None:
    start(api)
    for fault in FAULTS[kind]:
        api.fault("watch", "workflows", **fault)
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.append(backend.wait(RUN, 20).state))
    waiting.start()
    api.wait_until(lambda: len(api.asked("watch", "workflows")) > 0)
    api.patch("workflows", RUN, "team", {"status": {"message": "goes on"}})
    api.patch("workflows", RUN, "team", {"status": {"message": "goes on and on"}})
    api.patch("workflows", RUN, "team", DONE)
    waiting.join()
    assert found == ["succeeded"]


def test_wait_over_a_version_that_is_forgotten(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    api.fault("watch", "workflows", seconds=0.2)
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.append(backend.wait(RUN, 20).state))
    waiting.start()
    api.wait_until(lambda: len(api.asked("watch", "workflows")) > 0)
    api.patch("workflows", RUN, "team", DONE)
    api.store.forget_history()
    waiting.join()
    assert found == ["succeeded"]


def test_wait_no_longer_than_told(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    for seconds in (0, 0.1):
        with pytest.raises(WaitTimeoutError, match=f"'{RUN}' is still running after {seconds:g} s"):
            backend.wait(RUN, seconds)
    api.patch("workflows", RUN, "team", DONE)
    assert backend.wait(RUN, 0).state == "succeeded"


def test_a_server_that_ends_every_watch_is_not_asked_without_a_pause(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    # The stand-in ends a watch after a second, as it is asked to.
    backend.cluster.patience = replace(backend.cluster.patience, stream=1.0, poll=99.0)
    with pytest.raises(WaitTimeoutError):
        backend.wait(RUN, 1.5)
    assert len(api.asked("watch", "workflows")) == 1


def test_a_cluster_that_goes_away_while_waiting(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    api.fault("watch", "workflows", status=503, times=10)
    with pytest.raises(UnreachableError, match="503"):
        backend.wait(RUN, None)


def test_a_run_that_is_deleted_while_waited_for(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    told: list[str] = []

    def wait() -> None:
        with pytest.raises(UsageError, match="was deleted") as error:
            backend.wait(RUN, 20)
        told.append(str(error.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    api.wait_until(lambda: len(api.asked("watch", "workflows")) > 0)
    api.delete("workflows", RUN, "team")
    waiting.join()
    assert told


def shuts_down(api: KubeApi, *strategies: str) -> None:
    """End a run as Argo's controller does when it is told to, if that is done with one of these words."""

    def hook(_verb: str, resource: Any, new: Any) -> None:
        if resource.plural == "workflows" and new["spec"].get("shutdown") in strategies:
            new["status"] |= {"phase": "Failed", "finishedAt": ENDED}

    api.store.admission.append(hook)


def running(api: KubeApi) -> None:
    """Put a training that runs into the cluster, and its JobSet."""
    start(api, "Running", node("generate", "Succeeded"), *training("Running"))
    labels = {"workflows.argoproj.io/workflow": RUN}
    uid = api.create("jobsets", {"metadata": {"name": "animals-train", "labels": labels}, "spec": {}}, "team")["metadata"][
        "uid"
    ]
    owner = [{"uid": uid, "name": "animals-train", "kind": "JobSet", "apiVersion": "x/v1", "blockOwnerDeletion": True}]
    for rank in range(2):
        api.patch("pods", training_pod(api, rank), "team", {"metadata": {"ownerReferences": owner}})


def kubelet(api: KubeApi) -> Callable[[], None]:
    """Let pods that are to go be gone, as their nodes do."""

    def gone() -> None:
        with api.store.changed:
            for pod in api.list("pods", "team"):
                if "deletionTimestamp" in pod["metadata"]:
                    api.delete("pods", pod["metadata"]["name"], "team", gracePeriodSeconds=0)

    return api.subscribe(lambda: threading.Thread(target=gone).start())


def test_cancel_ends_the_run_and_its_training(api: KubeApi, backend: ArgoBackend) -> None:
    running(api)
    shuts_down(api, "Stop")
    stop = kubelet(api)
    run = backend.cancel(RUN)
    stop()
    assert (run.state, run.reason) == ("cancelled", "cancelled")
    assert {step.id: step.state for step in run.steps} == {
        "generate": "succeeded", "train": "cancelled", "evaluate": "cancelled",
    }  # fmt: skip
    assert not api.list("jobsets") and not api.list("pods")
    assert backend.cancel(RUN) == run


def test_cancel_terminates_what_does_not_stop(api: KubeApi, connect: Callable[..., ArgoBackend]) -> None:
    start(api)
    shuts_down(api, "Terminate")
    backend = connect(Patience(pauses=(0.01,), stream=1.0, poll=0.01, stop=0.05, end=5.0))
    assert backend.cancel(RUN).state == "cancelled"
    assert api.get("workflows", RUN, "team")["spec"]["shutdown"] == "Terminate"


def test_cancel_says_what_does_not_end(api: KubeApi, connect: Callable[..., ArgoBackend]) -> None:
    backend = connect(Patience(poll=0.01, stop=0.05, end=0.05))
    start(api)
    with pytest.raises(UnreachableError, match="is Argo's controller running"):
        backend.cancel(RUN)
    shuts_down(api, "Stop")
    name = own_pod(api, "generate")
    with pytest.raises(UnreachableError, match=f"pods of run '{RUN}' do not end: {name}"):
        backend.cancel(RUN)


def test_a_run_that_has_ended_stays_as_it_is(api: KubeApi, backend: ArgoBackend) -> None:
    start(api, "Succeeded")
    before = api.get("workflows", RUN, "team")
    assert backend.cancel(RUN).state == "succeeded"
    assert api.get("workflows", RUN, "team") == before


def test_cancel_where_the_launcher_is_not_installed(api: KubeApi, backend: ArgoBackend) -> None:
    start(api)
    shuts_down(api, "Stop")
    api.uninstall("jobsets")
    assert backend.cancel(RUN).state == "cancelled"


def test_delete_returns_when_all_is_gone(api: KubeApi, backend: ArgoBackend) -> None:
    running(api)
    own_pod(api, "generate", "Failed")
    shuts_down(api, "Stop")
    stop = kubelet(api)
    backend.delete(RUN)
    stop()
    assert not api.list("workflows") and not api.list("pods") and not api.list("jobsets")
    with pytest.raises(UsageError, match="no run"):
        backend.delete(RUN)


def test_what_somebody_else_put_in_its_place_stays(api: KubeApi, backend: ArgoBackend) -> None:
    """Two retries at once: the one that comes late does not take away what the other has just begun."""
    start(api, "Failed")
    taken = threading.Event()

    def replace(verb: str, resource: Any, new: Any) -> None:
        if verb == "create" and resource.plural == "workflows" and not taken.is_set():
            # After the late one has asked whether it may, and before it deletes.
            taken.set()
            api.delete("workflows", RUN, "team")
            start(api)

    api.store.admission.append(replace)
    run = backend.retry(RUN)
    assert run.state == "running"
    assert len(api.list("workflows")) == 1
