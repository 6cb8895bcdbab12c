"""The backend and what acts on a cluster, together: a Workflow that really runs, seen, followed and ended."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from workflow_run import dag, is_running, python, task, wait_for_pod

from hubc.errors import HubcError

if TYPE_CHECKING:
    from argo_controller import Controller
    from kube import KubeApi

    from hubc.backends.argo.backend import ArgoBackend

LABELS = {"app.kubernetes.io/managed-by": "hubc", "hubc.dev/pipeline": "small"}
PROGRESS = json.dumps({"hubc": "progress", "done": 1, "total": 2, "unit": "steps"})
SLOW = f"import time\nprint('''{PROGRESS}''', flush=True)\ntime.sleep(60)"


def put(api: KubeApi, *templates: dict[str, Any], **spec: Any) -> None:
    """Put a run of two steps, the second of them in a graph of its own, into the cluster."""
    steps = [{"id": id, "kind": "generate", "key": "k", "needs": [], "nodes": 1} for id in ("first", "second")]
    notes = {"hubc.dev/steps": json.dumps(steps), "hubc.dev/plan-digest": "d"}
    main = dag(task("prepare"), task("first", depends="prepare"), task("variants-1", depends="first"))
    every = [main, dag(task("second"), name="variants-1"), python("prepare", "print('ready')"), *templates]
    data = {"metadata": {"name": "w", "labels": LABELS, "annotations": notes},
            "spec": {"entrypoint": "main", "templates": every, **spec}}  # fmt: skip
    api.create("workflows", data, "team")


def states(backend: ArgoBackend) -> dict[str, str]:
    return {step.id: step.state for step in backend.get("w").steps}


@pytest.mark.usefixtures("controller")
def test_a_run_to_its_end(api: KubeApi, backend: ArgoBackend) -> None:
    put(api, python("first", "print('one')"), python("second", "print('two')"))
    lines = list(backend.logs("w", None, follow=True))
    run = backend.wait("w", 30)
    assert (run.state, run.reason, states(backend)) == ("succeeded", "", {"first": "succeeded", "second": "succeeded"})
    assert sorted(lines) == ["first | one", "second | two"]


@pytest.mark.usefixtures("controller")
def test_a_failure_and_another_try(api: KubeApi, backend: ArgoBackend) -> None:
    put(api, python("first", "import sys; sys.exit(3)"), python("second", ""))
    run = backend.wait("w", 30)
    assert (run.state, states(backend)) == ("failed", {"first": "failed", "second": "cancelled"})
    assert run.step("first").exit_code == 3
    assert run.reason.startswith("step 'first' failed: ")
    before = api.get("workflows", "w", "team")["metadata"]["uid"]
    assert backend.retry("w").state in ("pending", "running")
    assert backend.wait("w", 30).state == "failed"
    assert api.get("workflows", "w", "team")["metadata"]["uid"] != before


def test_cancel_while_it_runs(api: KubeApi, backend: ArgoBackend, controller: Controller) -> None:
    put(api, python("first", SLOW), python("second", ""))
    wait_for_pod(api, lambda pod: is_running(pod) and "first" in pod["metadata"]["name"])
    lines = backend.logs("w", None, follow=True)
    assert next(lines) == "first | 1/2 steps"
    assert backend.get("w").step("first").progress == "1/2 steps"
    with pytest.raises(HubcError, match="'w' is running"):
        backend.retry("w")
    run = backend.cancel("w")
    assert (run.state, states(backend)) == ("cancelled", {"first": "cancelled", "second": "cancelled"})
    assert list(lines) == []
    backend.delete("w")
    assert not api.list("pods") and not api.list("workflows")
